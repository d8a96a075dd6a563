//! Numbers in comments are those of the acceptance cases of the specification.

use super::*;
use crate::{
    core::{
        outbound::{Backend, OpaqueRoute, Parent, Protocol, Timeouts},
        route::RouteSource,
        settings::Load,
    },
    grpc::validated_outbound,
    testing::{
        Build, address, authority, config,
        random::{Event, NAMES, feed, service_event},
        service,
    },
};
use linkerd_controller::source::Sink;
use parking_lot::Mutex;
use proptest::prelude::*;
use serde_json::json;
use std::{collections::HashSet, time::Duration};

struct Index(Shared<OutboundIndex>);

impl Index {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(OutboundIndex::new(Arc::new(config())))))
    }

    fn apply(&self, service: &Build<Service>) -> &Self {
        self.0.lock().apply(service.done());
        self
    }

    fn delete(&self, name: &str) {
        self.0.lock().delete(&ObjectId::new("n", name));
    }

    /// The policy of a target, which a proxy would accept.
    fn policy(&self, key: &TargetKey) -> Option<OutboundPolicy> {
        let policy = self.0.lock().policy(key);
        policy.iter().for_each(|policy| drop(validated_outbound(policy)));
        policy
    }

    fn watch(&self, key: &TargetKey) -> Watch {
        Watch(OutboundIndex::watch(&self.0, key).unwrap())
    }
}

struct Watch(Subscription<OutboundPolicy>);

impl Watch {
    fn news(&mut self) -> Option<OutboundPolicy> {
        let is_news = self.0.updates.has_changed().unwrap_or(false);
        let newest = is_news.then(|| self.0.updates.borrow_and_update().clone()).flatten();
        newest.map(|snapshot| snapshot.policy.clone())
    }

    fn has_ended(&self) -> bool {
        self.0.updates.has_changed().is_err()
    }
}

fn port_of(name: &str, port: u16) -> ServicePort {
    ServicePort { service: ObjectId::new("n", name), port }
}

fn kind(policy: &OutboundPolicy) -> &'static str {
    match &policy.protocol {
        Protocol::Detect { .. } => "detect",
        Protocol::Http1(_) => "http1",
        Protocol::Http2(_) => "http2",
        Protocol::Opaque(OpaqueRoute { backend: Some(_), .. }) => "opaque",
        Protocol::Opaque(OpaqueRoute { backend: None, .. }) => "forbidden",
    }
}

/// Case 31.
#[test]
fn an_address_outside_the_cluster_is_forwarded_and_one_inside_is_unknown() {
    let index = Index::new();
    assert_eq!(index.policy(&address("n", "10.8.255.255:4191")), None);
    assert!(OutboundIndex::watch(&index.0, &address("n", "10.8.255.255:4191")).is_none());
    let policy = index.policy(&address("n", "1.1.1.1:80")).unwrap();
    assert_eq!(policy.parent, Parent::Default("egress-fallback"));
    let Protocol::Detect { timeout, http, opaque } = policy.protocol else { panic!() };
    assert_eq!((timeout, http.accrual), (Duration::from_secs(10), None));
    let forward = Backend::Forward { name: "egress-fallback", address: "1.1.1.1:80".parse().unwrap() };
    assert_eq!(opaque.backend.as_ref(), Some(&forward));
    let rule = &http.routes[0].rules[0];
    assert_eq!((&rule.backends, &rule.timeouts), (&vec![forward], &None));
}

/// Case 32.
#[test]
fn an_undefined_port_is_forbidden_until_the_service_has_it() {
    let index = Index::new();
    index.apply(&service("web", "10.0.0.1", 80));
    let key = address("n", "10.0.0.1:81");
    let mut watch = index.watch(&key);
    let policy = watch.news().unwrap();
    assert_eq!((kind(&policy), &policy.parent), ("forbidden", &Parent::Service(port_of("web", 81))));
    let Protocol::Opaque(route) = &policy.protocol else { panic!() };
    assert_eq!(route.source, RouteSource::Default("undefined-port"));
    index.apply(&service("web", "10.0.0.1", 81));
    assert!(watch.has_ended());
    assert_eq!(kind(&index.policy(&key).unwrap()), "detect");
}

/// Case 34.
#[test]
fn a_service_without_routes_is_balanced() {
    let index = Index::new();
    index.apply(&service("web", "10.0.0.1", 80));
    let by_address = index.policy(&address("m", "10.0.0.1:80")).unwrap();
    assert_eq!(by_address, index.policy(&authority("n", "web", 80)).unwrap());
    let Protocol::Detect { http, opaque, .. } = by_address.protocol else { panic!() };
    let backend = Backend::Service {
        service: port_of("web", 80),
        authority: "web.n.svc.cluster.local:80".to_owned(),
        load: Load::PeakEwma,
    };
    assert_eq!(opaque, OpaqueRoute { source: RouteSource::Default("opaq"), backend: Some(backend.clone()) });
    assert_eq!((&http.routes[0].source, http.routes.len()), (&RouteSource::Default("http"), 1));
    assert_eq!(http.routes[0].rules[0].backends, [backend]);
    assert_eq!(http.routes[0].rules[0].timeouts, Some(Timeouts::default()));
}

/// Case 36.
#[test]
fn a_port_s_app_protocol_is_its_protocol() {
    for (text, expected) in [
        ("http", "http1"),
        ("HTTP", "http1"),
        ("kubernetes.io/h2c", "http2"),
        ("linkerd.io/opaque", "opaque"),
        ("linkerd.io/tcp", "opaque"),
        ("XMPP", "opaque"),
        ("grpc", "opaque"),
    ] {
        let index = Index::new();
        let web = service("web", "10.0.0.1", 80).spec("ports", json!([{"port": 80, "appProtocol": text}]));
        index.apply(&web.annotation("config.linkerd.io/opaque-ports", "80"));
        assert_eq!(kind(&index.policy(&authority("n", "web", 80)).unwrap()), expected, "{text}");
    }
}

/// Case 38.
#[test]
fn a_service_names_its_opaque_ports_or_has_the_default_ones() {
    let index = Index::new();
    let kind = |port| kind(&index.policy(&authority("n", "web", port)).unwrap());
    index.apply(&service("web", "10.0.0.1", 25));
    assert_eq!((kind(25), kind(80)), ("opaque", "detect"));
    index.apply(&service("web", "10.0.0.1", 25).annotation("config.linkerd.io/opaque-ports", "4191"));
    assert_eq!((kind(25), kind(4191)), ("detect", "opaque"));
    index.apply(&service("web", "10.0.0.1", 25).annotation("config.linkerd.io/opaque-ports", "4191,foo"));
    assert_eq!((kind(25), kind(4191)), ("detect", "detect"));
    assert_eq!(index.0.lock().problems().count(), 1);
}

/// Case 85.
#[test]
fn a_missing_service_has_the_default_policy_until_it_comes() {
    let index = Index::new();
    let mut watch = index.watch(&authority("n", "web", 25));
    assert_eq!(kind(&watch.news().unwrap()), "detect");
    index.apply(&service("web", "10.0.0.1", 25));
    assert_eq!(kind(&watch.news().unwrap()), "opaque");
    let h2c = json!([{"port": 25, "appProtocol": "kubernetes.io/h2c"}]);
    index.apply(&service("web", "10.0.0.1", 25).spec("ports", h2c));
    assert_eq!(kind(&watch.news().unwrap()), "http2");
    index.delete("web");
    assert_eq!(kind(&watch.news().unwrap()), "detect");
}

/// Case 88.
#[test]
fn events_that_change_nothing_reach_nobody() {
    let index = Index::new();
    let web = service("web", "10.0.0.1", 80);
    index.apply(&web);
    let mut watches = [index.watch(&address("n", "10.0.0.1:80")), index.watch(&address("n", "1.1.1.1:80"))];
    assert!(watches.iter_mut().all(|watch| watch.news().is_some()));
    let mut resent = web.clone();
    resent.json["metadata"]["resourceVersion"] = json!("7");
    resent.json["status"] = json!({"loadBalancer": {}});
    let more_ports = web.spec("ports", json!([{"port": 80}, {"port": 81}]));
    index.apply(&resent).apply(&more_ports).apply(&service("other", "10.0.0.2", 80));
    assert!(watches.iter_mut().all(|watch| watch.news().is_none() && !watch.has_ended()));
}

/// The ideal of 3.2: exactly those streams end whose address stands for something else now.
#[test]
fn a_recycled_address_ends_its_watches_and_no_other() {
    let index = Index::new();
    index.apply(&service("old", "10.0.0.1", 80).created(1)).apply(&service("other", "10.0.0.2", 80));
    let (watch, other) = (index.watch(&address("n", "10.0.0.1:80")), index.watch(&address("n", "10.0.0.2:80")));
    let mut by_name = index.watch(&authority("n", "old", 80));
    by_name.news();
    // The new Service may be heard of before the old one's end.
    index.apply(&service("new", "10.0.0.1", 80).created(2));
    assert!(watch.has_ended());
    let watch = index.watch(&address("n", "10.0.0.1:80"));
    index.delete("old");
    assert!(!watch.has_ended() && !other.has_ended() && !by_name.has_ended());
    assert_eq!(by_name.news(), None);
    index.delete("new");
    assert!(watch.has_ended() && index.policy(&address("n", "10.0.0.1:80")).is_none());
}

#[test]
fn a_service_that_takes_an_address_outside_the_cluster_ends_its_fallback() {
    let index = Index::new();
    let (watch, other) = (index.watch(&address("n", "1.1.1.1:80")), index.watch(&address("n", "1.1.1.2:80")));
    index.apply(&service("web", "1.1.1.1", 80));
    assert!(watch.has_ended() && !other.has_ended());
}

/// Settings of a Service reach all of its ports, and its HTTP routes alone where they concern requests.
#[test]
fn annotations_of_a_service_reach_open_watches() {
    let index = Index::new();
    index.apply(&service("web", "10.0.0.1", 80));
    let mut watch = index.watch(&authority("n", "web", 80));
    watch.news();
    let annotated = service("web", "10.0.0.1", 80)
        .annotation("timeout.linkerd.io/request", "5s")
        .annotation("retry.linkerd.io/http", "5xx")
        .annotation("balancer.linkerd.io/failure-accrual", "consecutive")
        .annotation("balancer.alpha.linkerd.io/penalize-failures", "true");
    index.apply(&annotated);
    let policy = watch.news().unwrap();
    validated_outbound(&policy);
    let Protocol::Detect { http, opaque, .. } = policy.protocol else { panic!() };
    let rule = &http.routes[0].rules[0];
    assert_eq!(rule.timeouts.as_ref().unwrap().request, Some(Duration::from_secs(5)));
    assert!(rule.retry.is_some() && http.accrual.is_some());
    assert!(matches!(&rule.backends[0], Backend::Service { load: Load::PenaltyPeakEwma { .. }, .. }));
    // Case 60.
    assert!(matches!(opaque.backend, Some(Backend::Service { load: Load::PeakEwma, .. })));
}

/// Case 64.
#[test]
fn headers_may_be_let_change_timeouts_on_every_rule() {
    let config = Config { allow_l5d_request_headers: true, ..config() };
    let index = OutboundIndex::new(Arc::new(config));
    for key in [authority("n", "web", 80), address("n", "1.1.1.1:80")] {
        let Protocol::Detect { http, .. } = index.policy(&key).unwrap().protocol else { panic!() };
        assert!(http.routes[0].rules[0].allow_l5d_request_headers);
    }
}

/// Case 83.
#[test]
fn nothing_is_left_of_watches_that_are_gone() {
    let index = Index::new();
    index.apply(&service("web", "10.0.0.1", 80));
    let watches: Vec<Watch> = (1..200)
        .flat_map(|port| [address("n", &format!("10.0.0.1:{port}")), authority("m", "none", port)])
        .chain([address("n", "1.1.1.1:80"), address("n", "10.0.0.1:80")])
        .map(|key| index.watch(&key))
        .collect();
    drop(watches);
    let index = index.0.lock();
    assert_eq!((index.sizes()["watch"], index.distinct_policies()), (0, 0));
    assert!(index.watched_by_ip.is_empty() && index.watched_by_service.is_empty());
}

#[test]
fn a_list_sweeps_what_it_lacks_when_it_ends() {
    let index = Index::new();
    let synced = index.0.lock().synced();
    index.apply(&service("web", "10.0.0.1", 80)).apply(&service("gone", "10.0.0.2", 80));
    assert!(!*synced.borrow());
    Sink::<Service>::reset(&mut *index.0.lock(), &HashSet::from([ObjectId::new("n", "web")]));
    assert!(*synced.borrow() && index.policy(&address("n", "10.0.0.2:80")).is_none());
}

/// Two transports may share a number; proxies see TCP.
#[test]
fn a_port_of_two_transports_has_the_protocol_of_tcp() {
    let index = Index::new();
    let ports = json!([{"port": 80, "protocol": "UDP", "appProtocol": "x"}, {"port": 80, "appProtocol": "http"}]);
    index.apply(&service("web", "10.0.0.1", 80).spec("ports", ports));
    assert_eq!(kind(&index.policy(&authority("n", "web", 80)).unwrap()), "http1");
}

fn keys() -> Vec<TargetKey> {
    let addresses = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "1.1.1.1", "10.9.9.9"].into_iter();
    let addresses = addresses.flat_map(|ip| [80, 81, 82].map(|port| address("n", &format!("{ip}:{port}"))));
    addresses.chain(NAMES.into_iter().flat_map(|name| [80, 81].map(|port| authority("m", name, port)))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the order of events, watches see what a fresh computation of the final state would give.
    #[test]
    fn watches_see_what_a_fresh_computation_gives(events in prop::collection::vec(service_event(), 1..40)) {
        let index = Index::new();
        let mut watches: BTreeMap<TargetKey, Watch> = BTreeMap::new();
        for (i, event) in events.iter().enumerate() {
            feed::<Service, _>(&mut *index.0.lock(), event);
            for (_, key) in keys().into_iter().enumerate().filter(|(key, _)| key % 5 == i % 5) {
                if watches.get(&key).is_none_or(Watch::has_ended) {
                    // Outside the lock: the old watch frees its key.
                    watches.remove(&key);
                    if let Some(watch) = OutboundIndex::watch(&index.0, &key) {
                        watches.insert(key, Watch(watch));
                    }
                }
            }
        }
        let mut expected = OutboundIndex::new(Arc::new(config()));
        let last: BTreeMap<_, &Event> = events.iter().map(|event| (&event.id, event)).collect();
        last.into_values().rev().for_each(|event| feed::<Service, _>(&mut expected, event));
        for key in keys() {
            let policy = expected.policy(&key);
            prop_assert_eq!(&index.policy(&key), &policy);
            if let Some(watch) = watches.get(&key).filter(|watch| !watch.has_ended()) {
                let newest = watch.0.updates.borrow().as_ref().map(|snapshot| snapshot.policy.clone());
                prop_assert_eq!(&newest, &policy);
            }
        }
        watches.clear();
        prop_assert_eq!(index.0.lock().distinct_policies(), 0);
    }
}
