//! Plain data and rules: no Kubernetes objects, protobuf, async or clock.

pub mod authority;
pub mod config;
pub mod diff;
pub mod endpoint;
pub mod filter;
pub mod key;
pub mod member;
pub mod port;
pub mod profile;
pub mod server;
pub mod service;
pub mod token;
pub mod translate;
pub mod workload;
