//! ServiceProfiles as proxies are told of them, by the cases of service profiles.

use crate::{
    fixtures::{ServiceExt, service},
    grpc::wire::Wire,
    index::{Index, ProfileRequest, ProfileSubject, tests::sync},
};
use linkerd_controller::source::Sink;
use linkerd_k8s::ServiceProfile;
use linkerd_proto::{
    Duration,
    destination::{DestinationProfile, RetryBudget, Route, response_match::Match},
};
use prost::Message;
use serde_json::{Value, json};
use std::sync::Arc;

fn index() -> Index {
    let config = crate::core::config::Config { cluster_domain: "mycluster.local".to_owned(), ..Default::default() };
    let mut index = Index::new(Arc::new(config));
    sync(&mut index);
    index.apply(service("web").port("", 80));
    index
}

fn stored(spec: Value) -> ServiceProfile {
    let metadata = json!({"name": "web.ns.svc.mycluster.local", "namespace": "ns"});
    serde_json::from_value(json!({ "metadata": metadata, "spec": spec })).unwrap()
}

const WEB: ProfileSubject<'_> = ProfileSubject::Name { namespace: "ns", name: "web", hostname: None };

/// What a new stream is told at once.
fn told(spec: Value) -> DestinationProfile {
    let mut index = index();
    index.apply(stored(spec));
    let request = ProfileRequest { subject: WEB, port: 80, client_namespace: "" };
    let (receiver, _) = index.watch_profile(request).unwrap();
    let message = receiver.borrow().message(|profile| Wire::new(index.config()).profile(profile));
    DestinationProfile::decode(message).unwrap()
}

fn route(more: Value) -> Route {
    let mut route = json!({"name": "r", "condition": {"method": "GET"}});
    route.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    told(json!({ "routes": [route] })).routes.remove(0)
}

fn default_budget() -> Option<RetryBudget> {
    let ttl = Some(Duration { seconds: 10, nanos: 0 });
    Some(RetryBudget { retry_ratio: 0.2, min_retries_per_second: 10, ttl })
}

// Case 5 of service profiles.
#[test]
fn a_class_may_have_several_ranges() {
    let status = |min, max| json!({"status": {"min": min, "max": max}});
    let classes =
        json!({"responseClasses": [{"condition": {"any": [status(500, 599), status(420, 420)]}, "isFailure": true}]});
    let class = route(classes).response_classes.remove(0);
    assert!(class.is_failure);
    let Some(Match::Any(any)) = class.condition.unwrap().r#match else { panic!("no `any`") };
    let ranges = any.matches.iter().map(|range| match &range.r#match {
        Some(Match::Status(range)) => (range.min, range.max),
        other => panic!("{other:?}"),
    });
    assert_eq!(ranges.collect::<Vec<_>>(), [(500, 599), (420, 420)]);
}

// Case 8 of service profiles.
#[test]
fn a_timeout_that_is_none_is_unset() {
    assert_eq!(route(json!({"timeout": "200ms"})).timeout, Some(Duration { seconds: 0, nanos: 200_000_000 }));
    for none in [json!({}), json!({"timeout": "0s"}), json!({"timeout": "one-second"}), json!({"timeout": "-1s"})] {
        assert_eq!(route(none.clone()).timeout, None, "{none}");
    }
}

// Case 11 of service profiles.
#[test]
fn a_profile_that_is_deleted_leaves_the_default_and_one_that_is_told_again_nothing() {
    let mut index = index();
    let profile = stored(json!({"routes": [{"name": "r", "condition": {"method": "GET"}}]}));
    index.apply(profile.clone());
    let request = ProfileRequest { subject: WEB, port: 80, client_namespace: "" };
    let (mut receiver, _lease) = index.watch_profile(request).unwrap();
    let wire = Wire::new(index.config());
    let mut next = || {
        let is_news = receiver.has_changed().unwrap();
        let message = receiver.borrow_and_update().message(|profile| wire.profile(profile));
        is_news.then(|| DestinationProfile::decode(message).unwrap())
    };
    next();
    index.apply(profile.clone());
    assert_eq!(next(), None);
    Sink::<ServiceProfile>::delete(&mut index, &linkerd_k8s::Resource::id(&profile));
    let default = next().unwrap();
    assert_eq!((default.routes.len(), default.retry_budget, default.profile_ref), (0, default_budget(), None));
    index.apply(profile);
    assert_eq!(next().unwrap().routes.len(), 1);
}

// Case 12 of service profiles.
#[test]
fn opaque_ports_of_a_profile_are_not_read_in_any_shape() {
    for shape in [json!(["80"]), json!({"80": {}}), json!("80"), json!(80)] {
        assert!(!told(json!({ "opaquePorts": shape })).opaque_protocol, "{shape}");
    }
}

// Case 36 of service profiles.
#[test]
fn what_cannot_be_read_of_a_profile_silences_no_stream() {
    let good = json!({"name": "good", "condition": {"method": "GET"},
        "responseClasses": [{"condition": {"status": {"min": 1000}}}, {"condition": {"status": {"min": 500}}}]});
    let profile = told(json!({
        "routes": [{"name": "empty", "condition": {}}, good, null, 5],
        "retryBudget": {"retryRatio": 0.5, "minRetriesPerSecond": 1, "ttl": "soon"},
    }));
    assert_eq!(profile.routes.len(), 1);
    assert_eq!(profile.routes[0].response_classes.len(), 1);
    assert_eq!(profile.retry_budget.unwrap().ttl, Some(Duration { seconds: 10, nanos: 0 }));
    for nonsense in [json!(null), json!([]), json!("text"), json!({"routes": {}, "retryBudget": [], "dstOverrides": 1})]
    {
        assert_eq!(told(nonsense.clone()).retry_budget, default_budget(), "{nonsense}");
    }
}
