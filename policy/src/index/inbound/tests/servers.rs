use super::*;
use crate::testing::{pod, server};
use serde_json::json;

/// Case 10.
#[test]
fn a_port_is_selected_by_number_or_by_any_container_s_name_for_it() {
    let index = Index::new();
    let mut web = pod("web").container(&[("admin", 1111)], None).container(&[("admin", 1112), ("udp", 1113)], None);
    web.json["spec"]["containers"][1]["ports"][1] = json!({"name": "admin", "containerPort": 1113, "protocol": "UDP"});
    index.apply(&web).apply(&server("admin", "web", json!("admin"))).apply(&server("number", "web", json!(2222)));
    let of = |port| index.policy("web", port).source;
    assert_eq!((of(1111), of(1112)), (ServerSource::Server("admin".into()), ServerSource::Server("admin".into())));
    assert_eq!(of(1113), ServerSource::Default(AccessPolicy::AllUnauthenticated));
    assert_eq!(of(2222), ServerSource::Server("number".into()));
    // A number in quotes is a name, and no port has it.
    index.apply(&server("quoted", "web", json!("3333")));
    assert_eq!(of(3333), ServerSource::Default(AccessPolicy::AllUnauthenticated));
}

/// Case 11.
#[test]
fn the_oldest_server_of_a_port_wins_and_then_the_first_by_name() {
    let index = Index::new();
    index.apply(&pod("web")).apply(&server("a", "web", json!(80)).created(2));
    let mut watch = index.watch("web", 80);
    assert_eq!(source(&watch.news().unwrap()), "a");
    index.apply(&server("b", "web", json!(80)).created(2)).apply(&server("c", "web", json!(80)));
    assert_eq!(watch.news(), None);
    index.apply(&server("d", "web", json!(80)).created(1));
    assert_eq!(source(&watch.news().unwrap()), "d");
    index.delete::<Server>("d");
    assert_eq!(source(&watch.news().unwrap()), "a");
    index.delete::<Server>("a");
    assert_eq!(source(&watch.news().unwrap()), "b");
    index.delete::<Server>("b");
    assert_eq!(source(&watch.news().unwrap()), "c");
    index.delete::<Server>("c");
    assert_eq!(source(&watch.news().unwrap()), "all-unauthenticated");
}

/// Case 12.
#[test]
fn a_server_that_no_longer_selects_a_pod_leaves_it() {
    let index = Index::new();
    index.apply(&pod("web")).apply(&server("s", "web", json!(80)));
    let mut watch = index.watch("web", 80);
    assert_eq!(source(&watch.news().unwrap()), "s");
    index.apply(&server("s", "other", json!(80)));
    assert_eq!(source(&watch.news().unwrap()), "all-unauthenticated");
    index.apply(&server("s", "web", json!(81)));
    assert_eq!(watch.news(), None);
    index.apply(&server("s", "web", json!(80)));
    assert_eq!(source(&watch.news().unwrap()), "s");
}

/// Case 14.
#[test]
fn a_server_without_access_policy_lets_nobody_in() {
    let index = Index::new();
    index.apply(&pod("web")).apply(&server("s", "web", json!(80)));
    assert_eq!(allowed_by(&index.policy("web", 80)), [""; 0]);
    index.apply(&server("s", "web", json!(80)).spec("accessPolicy", json!("audit")));
    let policy = index.policy("web", 80);
    assert_eq!((source(&policy), allowed_by(&policy)), ("s", vec!["default audit".to_owned()]));
    index.apply(&server("s", "web", json!(80)).spec("accessPolicy", json!("foobar")));
    assert_eq!(allowed_by(&index.policy("web", 80)), [""; 0]);
    assert_eq!(index.problems(), [r#"Server n/s: spec.accessPolicy: invalid mode: "foobar""#]);
}

/// Case 93: the watch reports an object that cannot be decoded as gone.
#[test]
fn a_server_that_cannot_be_decoded_any_more_leaves_its_port() {
    let index = Index::new();
    index.apply(&pod("web")).apply(&server("s", "web", json!(80)));
    let mut watch = index.watch("web", 80);
    assert!(watch.news().is_some());
    let broken = server("s", "web", json!(80)).spec("proxyProtocol", json!("garbanzo"));
    assert!(serde_json::from_value::<Server>(broken.json).is_err());
    index.delete::<Server>("s");
    assert_eq!(source(&watch.news().unwrap()), "all-unauthenticated");
    index.delete::<Server>("s");
    assert_eq!(watch.news(), None);
}

/// Servers of another namespace select nothing here.
#[test]
fn a_server_selects_in_its_own_namespace_alone() {
    let index = Index::new();
    index.apply(&pod("web")).apply(&server("s", "web", json!(80)).namespace("other"));
    assert_eq!(source(&index.policy("web", 80)), "all-unauthenticated");
}
