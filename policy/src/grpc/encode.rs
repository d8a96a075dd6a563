//! Messages that both services send parts of.

use crate::core::route::{HttpMatch, Method, PathMatch, RouteSource};
use linkerd_proto::{
    http_route::{HttpRouteMatch, PathMatch as WirePathMatch, path_match},
    http_types::{HttpMethod, http_method},
    meta::{Metadata, metadata},
};
use std::time::Duration;

/// The metadata of a configuration that no object stands for.
pub(super) fn default_metadata(name: &str) -> Metadata {
    Metadata { kind: Some(metadata::Kind::Default(name.to_owned())) }
}

pub(super) fn route_metadata(source: &RouteSource) -> Metadata {
    match source {
        RouteSource::Default(name) => default_metadata(name),
    }
}

pub(super) fn http_match(matches: &HttpMatch) -> HttpRouteMatch {
    let path = matches.path.as_ref().map(|path| {
        let kind = match path {
            PathMatch::Exact(path) => path_match::Kind::Exact(path.clone()),
            PathMatch::Prefix(path) => path_match::Kind::Prefix(path.clone()),
        };
        WirePathMatch { kind: Some(kind) }
    });
    let method = matches.method.map(|method| {
        let registered = match method {
            Method::Get => http_method::Registered::Get,
        };
        HttpMethod { r#type: Some(http_method::Type::Registered(registered.into())) }
    });
    HttpRouteMatch { path, method, ..HttpRouteMatch::default() }
}

/// A length of time. Proxies take up to 10,000 years; what is longer is cut there.
pub(super) fn duration(length: Duration) -> linkerd_proto::Duration {
    const MAX_SECONDS: u64 = 315_576_000_000;
    let seconds = i64::try_from(length.as_secs().min(MAX_SECONDS)).unwrap_or(i64::MAX);
    linkerd_proto::Duration { seconds, nanos: i32::try_from(length.subsec_nanos()).unwrap_or_default() }
}
