//! Matches and filters, which inbound and outbound routes have in common.

use super::Faults;
use http::header::HeaderName;
use linkerd_proto::{
    http_route::{
        HostMatch, HttpRouteMatch, PathModifier, RequestRedirect, header_match, path_match, query_param_match,
    },
    http_types::Headers,
};
use regex::Regex;

pub(super) fn hosts(hosts: &[HostMatch], faults: &mut Faults) {
    for host in hosts {
        faults.some(&host.r#match, "host match");
    }
}

pub(super) fn http_match(matches: &HttpRouteMatch, faults: &mut Faults) {
    if let Some(path) = &matches.path {
        match faults.some(&path.kind, "path match") {
            Some(path_match::Kind::Exact(path) | path_match::Kind::Prefix(path)) => {
                faults.unless(path.starts_with('/'), "relative path");
            }
            Some(path_match::Kind::Regex(regex)) => self::regex(regex, faults),
            None => {}
        }
    }
    for header in &matches.headers {
        header_name(&header.name, faults);
        if let Some(header_match::Value::Regex(regex)) = faults.some(&header.value, "header match") {
            self::regex(regex, faults);
        }
    }
    for query in &matches.query_params {
        if let Some(query_param_match::Value::Regex(regex)) = faults.some(&query.value, "query match") {
            self::regex(regex, faults);
        }
    }
    if let Some(method) = &matches.method {
        faults.unless(http::Method::try_from(method.clone()).is_ok(), "invalid method");
    }
}

pub(super) fn header_modifier(add: &Option<Headers>, set: &Option<Headers>, remove: &[String], faults: &mut Faults) {
    let written = [add, set].into_iter().flatten().flat_map(|headers| &headers.headers);
    written.map(|header| &header.name).chain(remove).for_each(|name| header_name(name, faults));
}

pub(super) fn redirect(redirect: &RequestRedirect, faults: &mut Faults) {
    if let Some(PathModifier { replace }) = &redirect.path {
        faults.some(replace, "path of redirect");
    }
    let status = redirect.status;
    faults.unless(status == 0 || (100..1000).contains(&status), "status of redirect");
    faults.unless(redirect.port <= u32::from(u16::MAX), "port of redirect");
}

fn header_name(name: &str, faults: &mut Faults) {
    faults.unless(name.parse::<HeaderName>().is_ok(), "invalid header name");
}

fn regex(regex: &str, faults: &mut Faults) {
    faults.unless(Regex::new(regex).is_ok(), "invalid regex");
}
