//! Injector: adds the proxy to pods.
