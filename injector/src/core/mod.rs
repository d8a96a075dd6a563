//! The pure core: plain data and rules, without Kubernetes client, async or clock.

pub mod additional_env;
pub mod annotations;
pub mod config;
pub mod containers;
pub mod decision;
pub mod env;
pub mod image;
pub mod inject;
pub mod owner;
pub mod patch;
pub mod pod;
pub mod ports;
pub mod settings;
pub mod timeouts;
pub mod trust;
pub mod tuning;
pub mod validate;
pub mod values;
pub mod volumes;
pub mod workload;
