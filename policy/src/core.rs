//! Policies as plain data, and the rules that make them.
//!
//! Nothing here knows Kubernetes objects, protobuf, async or a clock. Small values that manifests and
//! policies have in common, such as sets of ports and access policies, are those of `linkerd_k8s`.

pub mod accrual;
pub mod age;
pub mod authorization;
pub mod identity;
pub mod inbound;
pub mod outbound;
pub mod retry;
pub mod route;
pub mod settings;
pub mod workload;
