use super::*;
use crate::check::rules::builder::{PodBuilder, pod};

fn pods<const N: usize>(builders: [PodBuilder; N]) -> Vec<Pod> {
    builders.into_iter().map(PodBuilder::build).collect()
}

fn error(text: &str) -> Verdict {
    Err(Finding::error(text))
}

#[test]
fn proxies_with_other_trust_anchors_are_listed_in_order() {
    let bundle = "anchors\n";
    let pods = pods([
        pod("web").anchors("\nanchors"),
        pod("old-b").anchors("former"),
        pod("old-a").anchors("former"),
        pod("mounted"),
        pod("plain").unmeshed(),
        pod("gone").anchors("former").reason("Evicted"),
        pod("other").anchors("former").control_plane("other"),
    ]);
    let expected = "these pods do not have the current trust anchors; restart them:\n\t* app/old-a\n\t* app/old-b";
    assert_eq!(have_anchors(&pods, "linkerd", bundle), error(expected));
    assert_eq!(have_anchors(&pods[..1], "linkerd", bundle), Ok(()));
}

#[test]
fn running_proxies_that_are_not_ready_have_no_certificate() {
    let pods = pods([pod("web"), pod("native").native(), pod("bad").unready(), pod("new").unready().phase("Pending")]);
    let found = are_certified(&pods, "linkerd");
    assert!(matches!(&found, Err(Finding::Error(text)) if text.ends_with(":\n\t* app/bad")), "{found:?}");
    assert_eq!(are_certified(&pods[..2], "linkerd"), Ok(()));
}

// Acceptance case 50 of installation.
#[test]
fn there_is_at_least_one_proxy() {
    let none = pods([pod("plain").unmeshed(), pod("done").phase("Succeeded")]);
    let expected = "no \"linkerd-proxy\" containers found in the \"app\" namespace";
    assert_eq!(are_ready(&none, "linkerd", Some("app")), error(expected));
    assert_eq!(are_ready(&none, "linkerd", None), error("no \"linkerd-proxy\" containers found"));
}

#[test]
fn every_proxy_that_is_there_to_stay_is_ready() {
    let gone = ["NodeShutdown", "Shutdown", "Terminated", "Evicted"];
    let mut all = pods([pod("web"), pod("native").native(), pod("job").unready().phase("Succeeded")]);
    all.extend(gone.map(|reason| pod("gone").unready().phase("Failed").reason(reason).build()));
    assert_eq!(are_ready(&all, "linkerd", None), Ok(()));
    all.extend(pods([pod("b").unready(), pod("a").unready().phase("Pending"), pod("c").phase("Failed")]));
    let expected = "the proxies of these pods are not ready:\n\t* app/a (pod Pending)\n\t* app/b (not ready)\n\t* app/c (pod Failed)";
    assert_eq!(are_ready(&all, "linkerd", None), error(expected));
}

#[test]
fn proxies_of_another_version_are_listed_and_digests_are_not_compared() {
    let pods = pods([
        pod("web").image("cr.l5d.io/linkerd/proxy:v2"),
        pod("pinned").image("localhost:5000/proxy@sha256:abc"),
        pod("old").image("localhost:5000/proxy:v1"),
    ]);
    let expected = "some proxies are not running the current version, which is v2:\n\t* app/old (v1)";
    assert_eq!(are_current(&pods, "linkerd", "v2"), error(expected));
    assert_eq!(are_current(&pods[..2], "linkerd", "v2"), Ok(()));
}

#[test]
fn the_version_of_proxies_is_that_of_the_control_plane_unless_it_has_its_own() {
    let config = |version: &str| {
        let tree = serde_json::json!({ "linkerdVersion": "1", "proxy": { "image": { "version": version } } });
        Config { tree, values: linkerd_injector::core::values::Values::default() }
    };
    assert_eq!((proxy_version(&config("")), proxy_version(&config("edge-2"))), ("1", "edge-2"));
}
