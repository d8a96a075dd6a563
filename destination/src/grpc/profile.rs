//! Profiles as messages.

use super::wire::{DestinationProfile, Route, Wire};
use crate::core::{
    authority::split_host_port,
    profile::{EndpointProfile, Profile, ServiceProfile},
};
use bytes::Bytes;
use linkerd_controller::grpc::encode;
use linkerd_k8s::{
    Resource as _,
    service_profile::{self, DEFAULT_TTL, DstOverride},
};
use linkerd_proto::{
    Duration,
    destination::{
        HttpStatusRange, PathMatch, RequestMatch, ResponseClass, ResponseMatch, RetryBudget, WeightedDst,
        request_match, response_match,
    },
    http_types::{HttpMethod, http_method},
    meta::{Metadata, Resource, metadata::Kind},
};
use std::collections::BTreeMap;

impl Wire {
    /// A profile as a message.
    pub fn profile(&self, profile: &Profile) -> Bytes {
        encode(&match profile {
            Profile::Empty => DestinationProfile::default(),
            Profile::Service(service) => self.service_profile(service),
            Profile::Endpoint(endpoint) => self.endpoint_profile(endpoint),
        })
    }

    fn endpoint_profile(&self, profile: &EndpointProfile) -> DestinationProfile {
        DestinationProfile {
            retry_budget: Some(retry_budget(None)),
            opaque_protocol: profile.is_opaque,
            endpoint: Some(self.weighted_addr(profile.address, &profile.endpoint)),
            ..DestinationProfile::default()
        }
    }

    fn service_profile(&self, service: &ServiceProfile) -> DestinationProfile {
        let source = service.source.as_deref();
        let spec = source.map(|source| &source.spec);
        let overrides = spec.map(|spec| spec.dst_overrides.as_slice()).unwrap_or_default();
        DestinationProfile {
            routes: spec.map(|spec| spec.routes.iter().map(route).collect()).unwrap_or_default(),
            retry_budget: Some(retry_budget(spec.and_then(|spec| spec.retry_budget.as_ref()))),
            dst_overrides: overrides.iter().map(|dst| weighted_dst(dst, service.port)).collect(),
            opaque_protocol: service.is_opaque,
            fully_qualified_name: format!("{}.{}.svc.{}", service.name, service.namespace, self.cluster_domain),
            endpoint: None,
            parent_ref: Some(resource("core", "Service", &service.namespace, &service.name, service.port)),
            profile_ref: source.map(|source| {
                let (group, kind) = (linkerd_k8s::ServiceProfile::GROUP, linkerd_k8s::ServiceProfile::KIND);
                resource(group, kind, &source.namespace, &source.name, 0)
            }),
        }
    }
}

fn resource(group: &str, kind: &str, namespace: &str, name: &str, port: u16) -> Metadata {
    let resource = Resource {
        group: group.to_owned(),
        kind: kind.to_owned(),
        name: name.to_owned(),
        namespace: namespace.to_owned(),
        section: String::new(),
        port: port.into(),
    };
    Metadata { kind: Some(Kind::Resource(resource)) }
}

fn route(route: &service_profile::Route) -> Route {
    let class = |class: &service_profile::ResponseClass| ResponseClass {
        condition: Some(response_match(&class.condition)),
        is_failure: class.is_failure,
    };
    Route {
        condition: Some(request_match(&route.condition)),
        response_classes: route.response_classes.iter().map(class).collect(),
        metrics_labels: BTreeMap::from([("route".to_owned(), route.name.clone())]),
        is_retryable: route.is_retryable,
        timeout: route.timeout.map(duration),
    }
}

fn request_match(condition: &service_profile::RequestMatch) -> RequestMatch {
    use service_profile::RequestMatch as Condition;
    let seq = |children: &[Condition]| request_match::Seq { matches: children.iter().map(request_match).collect() };
    RequestMatch {
        r#match: Some(match condition {
            Condition::All(children) => request_match::Match::All(seq(children)),
            Condition::Any(children) => request_match::Match::Any(seq(children)),
            Condition::Not(child) => request_match::Match::Not(Box::new(request_match(child))),
            Condition::Method(method) => request_match::Match::Method(http_method(method)),
            Condition::PathRegex(regex) => request_match::Match::Path(PathMatch { regex: regex.clone() }),
        }),
    }
}

fn http_method(method: &str) -> HttpMethod {
    let method = method.to_uppercase();
    let registered = http_method::Registered::from_str_name(&method);
    let kind = match registered {
        Some(registered) => http_method::Type::Registered(registered.into()),
        None => http_method::Type::Unregistered(method),
    };
    HttpMethod { r#type: Some(kind) }
}

fn response_match(condition: &service_profile::ResponseMatch) -> ResponseMatch {
    use service_profile::ResponseMatch as Condition;
    let seq = |children: &[Condition]| response_match::Seq { matches: children.iter().map(response_match).collect() };
    ResponseMatch {
        r#match: Some(match condition {
            Condition::All(children) => response_match::Match::All(seq(children)),
            Condition::Any(children) => response_match::Match::Any(seq(children)),
            Condition::Not(child) => response_match::Match::Not(Box::new(response_match(child))),
            Condition::Status(range) => {
                let (min, max) = range.bounds();
                response_match::Match::Status(HttpStatusRange { min, max })
            }
        }),
    }
}

/// The budget of a profile that has none is the default.
fn retry_budget(budget: Option<&service_profile::RetryBudget>) -> RetryBudget {
    match budget {
        None => RetryBudget { retry_ratio: 0.2, min_retries_per_second: 10, ttl: Some(duration(DEFAULT_TTL)) },
        Some(budget) => RetryBudget {
            retry_ratio: budget.retry_ratio,
            min_retries_per_second: budget.min_retries_per_second,
            ttl: budget.ttl.map(duration),
        },
    }
}

/// A target without port gets the one that was asked for.
fn weighted_dst(dst: &DstOverride, port: u16) -> WeightedDst {
    let authority = &dst.authority;
    let has_port = split_host_port(authority).is_ok();
    WeightedDst {
        authority: if has_port { authority.clone() } else { format!("{authority}:{port}") },
        weight: u32::try_from(dst.weight_thousandths.saturating_mul(10)).unwrap_or(u32::MAX),
        backend_ref: None,
    }
}

fn duration(length: std::time::Duration) -> Duration {
    // A Go duration is far shorter than what fits.
    Duration { seconds: i64::try_from(length.as_secs()).unwrap_or(i64::MAX), nanos: length.subsec_nanos() as i32 }
}
