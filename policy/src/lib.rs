//! Policy service: inbound and outbound policy for proxies.
