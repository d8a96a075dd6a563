//! Destination service: tells proxies where a request goes.
