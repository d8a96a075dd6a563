//! Messages, field by field, as the published bindings read them.

use crate::{
    core::config::{Config, Http2Params, KeepAlive, Time},
    fixtures::{
        EndpointExt, Named, PodExt, ServiceExt, SliceExt, bare, external, job, node, of_external, of_pod, pod, profile,
        service, slice,
    },
    grpc::wire::Wire,
    index::{EndpointsRequest, Index, ProfileRequest, ProfileSubject, tests::sync},
};
use linkerd_controller::source::Sink;
use linkerd_k8s::{
    ServiceProfile,
    names::{annotation, label},
    service_profile::ServiceProfileSpec,
};
use linkerd_proto::{
    Duration,
    destination::{
        self, AddrSet, AuthorityOverride, DestinationProfile, Http2ClientParams, NoEndpoints, ProtocolHint,
        TlsIdentity, Update, WeightedAddr, WeightedAddrSet, protocol_hint, tls_identity, update,
    },
    meta,
    net::{self, IPv6, TcpAddress, ip_address},
};
use prost::Message;
use std::{collections::HashMap, sync::Arc};

fn config() -> Config {
    let second = |seconds| Some(Time { seconds, nanos: 0 });
    let keep_alive = KeepAlive { interval: second(10), timeout: second(3), while_idle: true };
    Config {
        cluster_domain: "mycluster.local".to_owned(),
        trust_domain: "trust.domain".to_owned(),
        zone_weights: true,
        http2: Some(Http2Params { keep_alive: Some(keep_alive), ..Http2Params::default() }),
        ..Config::default()
    }
}

fn index() -> Index {
    let mut index = Index::new(Arc::new(config()));
    sync(&mut index);
    index
}

/// The messages that a new client on `node-1` gets for port 80 of Service `web`.
fn whole(index: &mut Index) -> Vec<Update> {
    let request = EndpointsRequest { namespace: "ns", name: "web", hostname: None, port: 80, node: "node-1" };
    let (receiver, lease) = index.watch_endpoints(request).unwrap();
    let messages = receiver.borrow().messages_for(None, &Wire::new(index.config()));
    index.release(&lease);
    messages.iter().map(|message| Update::decode(message.clone()).unwrap()).collect()
}

fn profile_of(index: &mut Index, subject: ProfileSubject<'_>, port: u16) -> DestinationProfile {
    let (receiver, lease) = index.watch_profile(ProfileRequest { subject, port, client_namespace: "" }).unwrap();
    let message = receiver.borrow().message(|profile| Wire::new(index.config()).profile(profile));
    index.release(&lease);
    DestinationProfile::decode(message).unwrap()
}

const WEB: ProfileSubject<'_> = ProfileSubject::Name { namespace: "ns", name: "web", hostname: None };

fn only(mut messages: Vec<Update>) -> update::Update {
    assert_eq!(messages.len(), 1);
    messages.remove(0).update.unwrap()
}

fn added(messages: Vec<Update>) -> WeightedAddrSet {
    match only(messages) {
        update::Update::Add(set) => set,
        other => panic!("{other:?}"),
    }
}

fn labels(labels: &[(&str, &str)]) -> HashMap<String, String> {
    labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn v4(ip: u32, port: u32) -> Option<TcpAddress> {
    Some(TcpAddress { ip: Some(net::IpAddress { ip: Some(ip_address::Ip::Ipv4(ip)) }), port })
}

fn dns(name: &str) -> tls_identity::DnsLikeIdentity {
    tls_identity::DnsLikeIdentity { name: name.to_owned() }
}

fn http2() -> Option<Http2ClientParams> {
    let second = |seconds| Some(Duration { seconds, nanos: 0 });
    let (interval, timeout) = (second(10), second(3));
    let keep_alive = destination::http2_client_params::KeepAlive { interval, timeout, while_idle: true };
    Some(Http2ClientParams { keep_alive: Some(keep_alive), ..Http2ClientParams::default() })
}

fn h2() -> Option<protocol_hint::Protocol> {
    Some(protocol_hint::Protocol::H2(protocol_hint::H2 {}))
}

/// Cases 5, 29, 30, 38 and 42.
#[test]
fn a_meshed_pod() {
    let mut index = index();
    let web_0 = pod("web-0").ip("172.17.0.12").account("sa").meshed().label("pod-template-hash", "abc");
    let web_0 = web_0.owner("Job", "night-1");
    index.apply(node("node-1", "west"));
    index.apply(job("night-1").owner("CronJob", "night"));
    index.apply(service("web").port("", 80));
    index.apply(slice("web", "s").port("", 8080).endpoint(of_pod(&web_0).zone("west")));
    index.apply(web_0);
    let name = "sa.ns.serviceaccount.identity.linkerd.trust.domain";
    let expected = WeightedAddr {
        addr: v4(0xac11_000c, 8080),
        weight: 100_000,
        metric_labels: labels(&[
            ("control_plane_ns", "linkerd"),
            ("cronjob", "night"),
            ("pod", "web-0"),
            ("pod_template_hash", "abc"),
            ("serviceaccount", "sa"),
            ("zone", "west"),
            ("zone_locality", "local"),
        ]),
        tls_identity: Some(TlsIdentity {
            strategy: Some(tls_identity::Strategy::DnsLikeIdentity(dns(name))),
            server_name: Some(dns(name)),
        }),
        protocol_hint: Some(ProtocolHint { protocol: h2(), opaque_transport: None }),
        authority_override: None,
        http2: http2(),
        resource_ref: None,
    };
    let set = added(whole(&mut index));
    assert_eq!(set.addrs, [expected]);
    assert_eq!(set.metric_labels, labels(&[("namespace", "ns"), ("service", "web")]));
}

/// Case 43.
#[test]
fn an_external_workload() {
    let mut index = index();
    let vm = external("vm", "2001:db8::1", 80).opaque("80");
    index.apply(service("web"));
    index.apply(slice("web", "s").v6().port("", 80).endpoint(of_external(&vm)));
    index.apply(vm);
    let transport = protocol_hint::OpaqueTransport { inbound_port: 4143 };
    let strategy = tls_identity::UriLikeIdentity { uri: "spiffe://trust.domain/vm".to_owned() };
    let ip = ip_address::Ip::Ipv6(IPv6 { first: 0x2001_0db8_0000_0000, last: 1 });
    let expected = WeightedAddr {
        addr: Some(TcpAddress { ip: Some(net::IpAddress { ip: Some(ip) }), port: 80 }),
        weight: 10_000,
        metric_labels: labels(&[("external_workload", "vm"), ("zone", ""), ("zone_locality", "unknown")]),
        tls_identity: Some(TlsIdentity {
            strategy: Some(tls_identity::Strategy::UriLikeIdentity(strategy)),
            server_name: Some(dns("vm.example.com")),
        }),
        protocol_hint: Some(ProtocolHint {
            protocol: Some(protocol_hint::Protocol::Opaque(protocol_hint::Opaque {})),
            opaque_transport: Some(transport),
        }),
        authority_override: None,
        http2: http2(),
        resource_ref: None,
    };
    assert_eq!(added(whole(&mut index)).addrs, [expected]);
}

/// Case 44.
#[test]
fn a_gateway_and_a_plain_address() {
    let mut index = index();
    index.apply(service("web").port("", 80));
    let mirrored = slice("web", "mirror").port("", 9999).endpoint(bare("192.0.2.1"));
    let mirrored = mirrored
        .annotation(annotation::REMOTE_GATEWAY_IDENTITY, "gateway")
        .annotation(annotation::REMOTE_SVC_FQ_NAME, "web.ns.svc.cluster.local")
        .label(label::MIRROR_CLUSTER_NAME, "east");
    index.apply(mirrored);
    index.apply(slice("web", "plain").port("", 80).endpoint(bare("192.0.2.2")));
    let unknown = || labels(&[("zone_locality", "unknown")]);
    let plain =
        WeightedAddr { addr: v4(0xc000_0202, 80), weight: 10_000, metric_labels: unknown(), ..WeightedAddr::default() };
    let gateway = WeightedAddr {
        addr: v4(0xc000_0201, 9999),
        weight: 10_000,
        metric_labels: unknown(),
        tls_identity: Some(TlsIdentity {
            strategy: Some(tls_identity::Strategy::DnsLikeIdentity(dns("gateway"))),
            server_name: None,
        }),
        protocol_hint: Some(ProtocolHint { protocol: h2(), opaque_transport: None }),
        authority_override: Some(AuthorityOverride { authority_override: "web.ns.svc.cluster.local:80".to_owned() }),
        http2: http2(),
        resource_ref: None,
    };
    let set = added(whole(&mut index));
    assert_eq!(set.addrs, [gateway, plain]);
    assert_eq!(set.metric_labels["target_cluster"], "east");
}

/// Cases 50 and 51.
#[test]
fn emptiness_and_steps() {
    let mut index = index();
    let web = service("web").port("", 80);
    index.apply(web.clone());
    assert_eq!(only(whole(&mut index)), update::Update::NoEndpoints(NoEndpoints { exists: true }));
    let request = EndpointsRequest { namespace: "ns", name: "web", hostname: None, port: 80, node: "" };
    let (mut receiver, _lease) = index.watch_endpoints(request).unwrap();
    let wire = Wire::new(index.config());
    let mut has = receiver.borrow_and_update().clone();
    let mut step = || {
        let newest = receiver.borrow_and_update().clone();
        let messages = newest.messages_for(Some(&has), &wire);
        has = newest;
        messages.iter().map(|message| Update::decode(message.clone()).unwrap().update.unwrap()).collect::<Vec<_>>()
    };
    let with = |ip: &str| slice("web", "s").port("", 80).endpoint(bare(ip));
    let remove = |ip| update::Update::Remove(AddrSet { addrs: vec![v4(ip, 80).unwrap()] });
    index.apply(with("192.0.2.1"));
    assert!(matches!(step()[..], [update::Update::Add(_)]));
    index.apply(with("192.0.2.2"));
    let messages = step();
    assert!(matches!(&messages[..], [update::Update::Add(set), last]
        if set.addrs.len() == 1 && *last == remove(0xc000_0201)));
    Sink::<linkerd_k8s::Service>::delete(&mut index, &linkerd_k8s::Resource::id(&web));
    let gone = update::Update::NoEndpoints(NoEndpoints { exists: false });
    assert_eq!(step(), [remove(0xc000_0202), gone]);
    assert!(step().is_empty());
}

#[test]
fn equal_states_are_equal_bytes() {
    let bytes = || {
        let mut index = index();
        let web_0 = pod("web-0").ip("10.0.0.1").meshed().label("pod-template-hash", "abc");
        index.apply(web_0.clone());
        index.apply(service("web").port("", 80));
        index.apply(slice("web", "s").port("", 80).pods([&web_0]).label(label::MIRROR_CLUSTER_NAME, "east"));
        let request = EndpointsRequest { namespace: "ns", name: "web", hostname: None, port: 80, node: "" };
        let (receiver, _) = index.watch_endpoints(request).unwrap();
        receiver.borrow().messages_for(None, &Wire::new(index.config()))
    };
    let first = bytes();
    for _ in 0..20 {
        assert_eq!(bytes(), first);
    }
}

#[test]
fn a_stream_one_step_behind_gets_the_bytes_that_all_others_get() {
    let mut index = index();
    index.apply(service("web").port("", 80));
    let request = EndpointsRequest { namespace: "ns", name: "web", hostname: None, port: 80, node: "" };
    let (receiver, _lease) = index.watch_endpoints(request).unwrap();
    let wire = Wire::new(index.config());
    let first = receiver.borrow().clone();
    index.apply(slice("web", "s").port("", 80).endpoint(bare("192.0.2.1")));
    let second = receiver.borrow().clone();
    let same = |one: &Arc<[bytes::Bytes]>, other: &Arc<[bytes::Bytes]>| Arc::ptr_eq(one, other);
    assert!(same(&second.messages_for(Some(&first), &wire), &second.messages_for(Some(&first), &wire)));
    assert!(same(&second.messages_for(None, &wire), &second.messages_for(None, &wire)));
}

fn resource(kind: &str, name: &str, group: &str, port: u32) -> Option<meta::Metadata> {
    let resource = meta::Resource {
        group: group.to_owned(),
        kind: kind.to_owned(),
        name: name.to_owned(),
        namespace: "ns".to_owned(),
        section: String::new(),
        port,
    };
    Some(meta::Metadata { kind: Some(meta::metadata::Kind::Resource(resource)) })
}

fn default_budget() -> Option<destination::RetryBudget> {
    let ttl = Some(Duration { seconds: 10, nanos: 0 });
    Some(destination::RetryBudget { retry_ratio: 0.2, min_retries_per_second: 10, ttl })
}

/// Cases 56 and 58.
#[test]
fn the_profile_of_a_service() {
    let mut index = index();
    index.apply(service("web").port("", 80).opaque("80"));
    let expected = DestinationProfile {
        fully_qualified_name: "web.ns.svc.mycluster.local".to_owned(),
        opaque_protocol: true,
        retry_budget: default_budget(),
        parent_ref: resource("Service", "web", "core", 80),
        ..DestinationProfile::default()
    };
    assert_eq!(profile_of(&mut index, WEB, 80), expected);
    assert_eq!(profile_of(&mut index, WEB, 81), DestinationProfile::default());
    index.apply(profile("web", "ns", "route1"));
    let profile = profile_of(&mut index, WEB, 80);
    assert_eq!(profile.profile_ref, resource("ServiceProfile", "web.ns.svc.mycluster.local", "linkerd.io", 0));
    assert_eq!(profile.routes.len(), 1);
}

/// Cases 62 and 64.
#[test]
fn the_profile_of_an_address() {
    let mut index = index();
    index.apply(pod("web-0").ip("10.0.0.1").meshed());
    let of = |index: &mut Index, ip: [u8; 4]| profile_of(index, ProfileSubject::Ip(ip.into()), 80);
    let endpoint = of(&mut index, [10, 0, 0, 1]).endpoint.unwrap();
    assert!(endpoint.tls_identity.is_some() && endpoint.protocol_hint.is_some());
    assert_eq!(endpoint.metric_labels["namespace"], "ns");
    assert!(!endpoint.metric_labels.contains_key("zone_locality"));
    let bare = WeightedAddr { addr: v4(0x0a00_0002, 80), weight: 10_000, ..WeightedAddr::default() };
    let expected =
        DestinationProfile { retry_budget: default_budget(), endpoint: Some(bare), ..DestinationProfile::default() };
    assert_eq!(of(&mut index, [10, 0, 0, 2]), expected);
}

fn profile_with(spec: serde_json::Value) -> DestinationProfile {
    let mut index = index();
    index.apply(service("web").port("", 80));
    let profile = profile("web", "ns", "");
    index.apply(ServiceProfile { spec: ServiceProfileSpec::read(&spec), ..profile });
    profile_of(&mut index, WEB, 80)
}

/// Cases 1, 2, 3, 6 and 7 of service profiles.
#[test]
fn routes_of_a_service_profile() {
    use destination::{HttpStatusRange, PathMatch, request_match, response_match};
    let profile = profile_with(serde_json::json!({"routes": [
        {
            "name": "books",
            "isRetryable": true,
            "timeout": "1.5s",
            "condition": {"method": "patch", "pathRegex": "/books", "not": {"any": [{"method": "BREW"}]}},
            "responseClasses": [
                {"isFailure": true, "condition": {"status": {"min": 500, "max": 599}}},
                {"condition": {"all": [{"status": {"min": 404}}]}},
            ],
        },
        {"name": "bad", "condition": {}},
    ]}));
    assert_eq!(profile.routes.len(), 1);
    let route = &profile.routes[0];
    assert_eq!(route.metrics_labels, labels(&[("route", "books")]));
    assert!(route.is_retryable);
    assert_eq!(route.timeout, Some(Duration { seconds: 1, nanos: 500_000_000 }));
    let Some(request_match::Match::All(all)) = route.condition.as_ref().unwrap().r#match.as_ref() else {
        panic!("{:?}", route.condition);
    };
    let matches: Vec<_> = all.matches.iter().map(|one| one.r#match.clone().unwrap()).collect();
    let method = |kind| request_match::Match::Method(linkerd_proto::http_types::HttpMethod { r#type: Some(kind) });
    use linkerd_proto::http_types::http_method::{Registered, Type};
    assert_eq!(matches[0], method(Type::Registered(Registered::Patch.into())));
    assert!(matches!(&matches[1], request_match::Match::Not(not)
        if matches!(&not.r#match, Some(request_match::Match::Any(any))
            if any.matches[0].r#match == Some(method(Type::Unregistered("BREW".to_owned()))))));
    assert_eq!(matches[2], request_match::Match::Path(PathMatch { regex: "/books".to_owned() }));
    assert!(route.response_classes[0].is_failure);
    let Some(response_match::Match::All(all)) = &route.response_classes[1].condition.as_ref().unwrap().r#match else {
        panic!("{:?}", route.response_classes);
    };
    // A one-sided range is that one status.
    let one = response_match::Match::Status(HttpStatusRange { min: 404, max: 404 });
    assert_eq!(all.matches[0].r#match, Some(one));
}

/// Cases 9, 10 and 35 of service profiles.
#[test]
fn budget_and_overrides_of_a_service_profile() {
    let profile = profile_with(serde_json::json!({
        "retryBudget": {"retryRatio": 0.5, "minRetriesPerSecond": 3, "ttl": "20s"},
        "dstOverrides": [
            {"authority": "a.ns.svc.mycluster.local", "weight": "500m"},
            {"authority": "b:8080", "weight": "1"},
            {"authority": "c:x", "weight": "1500u"},
            {"authority": "", "weight": "100"},
            {"authority": "[::1]", "weight": "-1"},
            {"authority": "d", "weight": "1T"},
        ],
    }));
    let ttl = Some(Duration { seconds: 20, nanos: 0 });
    let budget = destination::RetryBudget { retry_ratio: 0.5, min_retries_per_second: 3, ttl };
    assert_eq!(profile.retry_budget, Some(budget));
    let overrides: Vec<_> = profile.dst_overrides.iter().map(|dst| (dst.authority.as_str(), dst.weight)).collect();
    let expected = [
        ("a.ns.svc.mycluster.local:80", 5_000),
        ("b:8080", 10_000),
        ("c:x", 20),
        (":80", 1_000_000),
        ("[::1]:80", 0),
        ("d:80", u32::MAX),
    ];
    assert_eq!(overrides, expected);
}

#[test]
fn a_set_that_is_too_long_for_one_message_goes_in_several_of_which_the_first_is_an_add() {
    const ENDPOINTS: u32 = 30_000;
    let mut index = index();
    index.apply(service("web").port("", 80));
    for slice_number in 0..ENDPOINTS / 1000 {
        let ips = (0..1000).map(|i| std::net::Ipv4Addr::from(0x0a00_0000 + slice_number * 1000 + i).to_string());
        let of = |ip: String| bare(&ip).hostname("a-hostname");
        let made = slice("web", &format!("s-{slice_number}")).port("", 80);
        let made = made.annotation(annotation::REMOTE_SVC_FQ_NAME, &format!("{}.ns.svc.east", "long".repeat(60)));
        index.apply(ips.map(of).fold(made, SliceExt::endpoint));
    }
    let messages = whole(&mut index);
    assert!(messages.len() > 1 && messages.iter().all(|message| message.encoded_len() < 4 << 20));
    let sets = messages.into_iter().map(|message| match message.update.unwrap() {
        update::Update::Add(set) => set,
        other => panic!("{other:?}"),
    });
    let mut addresses = 0;
    for set in sets {
        assert_eq!(set.metric_labels["service"], "web");
        addresses += set.addrs.len();
    }
    assert_eq!(addresses, ENDPOINTS as usize);
}
