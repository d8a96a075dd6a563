//! Metrics by their exact names.

use super::super::delivery::{Delivery, Meters, Subject};
use crate::{
    fixtures::{
        Named, PodExt, ServiceExt, SliceExt, external, of_external, opaque_server, pod, profile, service, slice,
    },
    index::{EndpointsRequest, Index, ProfileRequest, ProfileSubject, tests::sync},
    metrics,
};
use linkerd_controller::{
    grpc::{Methods, StreamLimits},
    source::{Shared, Sink},
    tasks::Tasks,
};
use linkerd_k8s::{Job, Node, Pod, ReplicaSet, ports::PortName};
use parking_lot::Mutex;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

fn index() -> Shared<Index> {
    let config = crate::core::config::Config { cluster_domain: "mycluster.local".to_owned(), ..Default::default() };
    Arc::new(Mutex::new(Index::new(Arc::new(config))))
}

fn line<'a>(text: &'a str, start: &str) -> &'a str {
    text.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("no {start} in {text}"))
}

#[test]
fn what_is_watched_and_kept_is_counted_while_it_is() {
    let (tasks, _supervisor) = Tasks::new();
    let index = index();
    metrics::register(&index, &tasks);
    let (web_0, vm) = (pod("web-0").ip("10.0.0.1"), external("vm", "192.0.2.1", 80));
    let leases = {
        let mut index = index.lock();
        index.apply(service("web").port("", 80));
        index.apply(slice("web", "s").port("", 80).pods([&web_0]).endpoint(of_external(&vm)));
        index.apply(web_0);
        index.apply(vm);
        index.apply(opaque_server("server", "web", PortName::Number(80)));
        index.apply(profile("web", "ns", "route1"));
        sync(&mut index);
        let request = EndpointsRequest { namespace: "ns", name: "web", hostname: None, port: 80, node: "node-1" };
        let name = ProfileSubject::Name { namespace: "ns", name: "web", hostname: None };
        let about = |subject, client_namespace| ProfileRequest { subject, port: 80, client_namespace };
        [
            index.watch_endpoints(request).unwrap().1,
            index.watch_profile(about(name, "a-namespace")).unwrap().1,
            index.watch_profile(about(ProfileSubject::Ip([10, 0, 0, 1].into()), "")).unwrap().1,
        ]
    };
    let text = tasks.metrics.encode();
    let view = r#"{cluster="local",namespace="ns",service="web",port="80",hostname="",nodename=""}"#;
    let expected = [
        format!("endpoints_subscribers{view} 1"),
        format!("endpoints_pods{view} 2"),
        format!("endpoints_exists{view} 1"),
        format!("endpoints_updates{view} 0"),
        r#"profile_subscribers{namespace="ns",profile="web.ns.svc.mycluster.local"} 1"#.to_owned(),
        r#"profile_updates{namespace="ns",profile="web.ns.svc.mycluster.local"} 0"#.to_owned(),
        r#"service_subscribers{namespace="ns",name="web"} 1"#.to_owned(),
        "workload_subscribers 1".to_owned(),
        "workload_updates 0".to_owned(),
        "cluster_store_size 0".to_owned(),
    ];
    for line in expected {
        assert!(text.contains(&format!("\n{line}\n")), "{line} is not in {text}");
    }
    for (kind, count) in [
        ("endpointslices", 1),
        ("pod", 1),
        ("service", 1),
        ("serviceprofile", 1),
        ("server", 1),
        ("externalworkload", 1),
        ("node", 0),
        ("replicaset", 0),
        ("job", 0),
    ] {
        assert_eq!(
            line(&text, &format!("{kind}_cache_size")),
            format!(r#"{kind}_cache_size{{cluster="local"}} {count}"#)
        );
    }
    leases.iter().for_each(|lease| index.lock().release(lease));
    let text = tasks.metrics.encode();
    for gone in ["endpoints_", "profile_", "service_subscribers"] {
        assert!(!text.lines().any(|line| line.starts_with(gone)), "{gone} in {text}");
    }
}

#[test]
fn the_age_of_changes_is_noted_but_not_that_of_what_was_there_before() {
    let (tasks, _supervisor) = Tasks::new();
    let index = index();
    metrics::register(&index, &tasks);
    let age = |seconds: u64, pod: Pod| {
        // The metrics look into the index too.
        let mut index = index.lock();
        let updated = std::time::SystemTime::now() - Duration::from_secs(seconds);
        index.apply(pod.with(|pod| pod.metadata.updated = Some(updated.try_into().unwrap())));
        sync(&mut index);
        drop(index);
        tasks.metrics.encode()
    };
    let text = age(10_000, pod("old"));
    assert_eq!(line(&text, "pods_informer_lag_seconds_count"), "pods_informer_lag_seconds_count 0");
    age(10_000, pod("old"));
    let text = age(3, pod("old").ip("10.0.0.1"));
    assert_eq!(line(&text, "pods_informer_lag_seconds_count"), "pods_informer_lag_seconds_count 1");
    assert_eq!(line(&text, r#"pods_informer_lag_seconds_bucket{le="5.0""#).rsplit(' ').next(), Some("1"));
    for name in ["endpointslices", "services", "servers", "externalworkload", "serviceprofiles"] {
        line(&text, &format!("{name}_informer_lag_seconds_count 0"));
    }
}

#[test]
fn managed_fields_tell_when_an_object_was_updated() {
    let read = |fields: serde_json::Value| -> Node {
        serde_json::from_value(serde_json::json!({"metadata": {"name": "n", "managedFields": fields}})).unwrap()
    };
    let entry = |operation: &str, time: &str| serde_json::json!({"manager": "m", "operation": operation, "time": time, "fieldsV1": {"f:a": {}}});
    let (early, late) = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z");
    let node = read(serde_json::json!([
        entry("Update", early),
        entry("Update", late),
        entry("Apply", "2027-01-01T00:00:00Z")
    ]));
    assert_eq!(node.metadata.updated.unwrap().to_string(), late);
    assert!(
        read(serde_json::json!([{"operation": "Update"}, entry("Update", "yesterday")])).metadata.updated.is_none()
    );
    assert!(read(serde_json::Value::Null).metadata.updated.is_none());
    let kinds = serde_json::json!({"metadata": {"name": "n"}});
    assert!(serde_json::from_value::<Job>(kinds.clone()).unwrap().metadata.updated.is_none());
    assert!(serde_json::from_value::<ReplicaSet>(kinds).unwrap().metadata.updated.is_none());
}

#[test]
fn delays_are_noted_when_a_message_is_written_and_streams_that_were_given_up_are_counted() {
    let (tasks, _supervisor) = Tasks::new();
    let limits = StreamLimits { unread: Duration::ZERO, ..StreamLimits::default() };
    let meters = Meters::register(&Methods::new(&tasks).with_limits(limits));
    let path = "web.ns.svc.mycluster.local:8080";
    let (endpoints, profile) = (Subject::Endpoints(path.into()), Subject::Profile(path.into()));
    let count = |method: &str| {
        let text = tasks.metrics.encode();
        let start = format!(r#"destination_update_delay_seconds_count{{grpc_method="{method}"}}"#);
        line(&text, &start).rsplit(' ').next().unwrap().parse::<u32>().unwrap()
    };
    let mut get = Delivery::new(&meters, endpoints.clone());
    get.given(None);
    get.taken();
    get.given(Some(Instant::now()));
    assert_eq!(count("Get"), 0);
    get.taken();
    assert_eq!((count("Get"), count("GetProfile")), (1, 0));
    drop(get);
    let zero = tasks.metrics.encode();
    assert_eq!(line(&zero, "endpoint_profile_updates_queue_overflow"), "endpoint_profile_updates_queue_overflow 0");
    for subject in [endpoints, profile, Subject::EndpointProfile] {
        Delivery::new(&meters, subject).given(None);
    }
    let text = tasks.metrics.encode();
    for line in [
        r#"endpoint_updates_queue_overflow{service="web.ns.svc.mycluster.local:8080"} 1"#,
        r#"profile_updates_queue_overflow{fqn="web.ns.svc.mycluster.local",port="8080"} 1"#,
        "endpoint_profile_updates_queue_overflow 1",
    ] {
        assert!(text.contains(&format!("\n{line}\n")), "{line} is not in {text}");
    }
}
