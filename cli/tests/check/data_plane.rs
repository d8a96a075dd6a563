//! `linkerd check --proxy`.

use super::{
    installed::{Installed, status},
    linkerd,
};
use anyhow::Result;
use serde_json::{Value, json};

const READY: bool = true;

/// A meshed pod in namespace `app`.
fn pod(name: &str, anchors: &str, is_ready: bool) -> Value {
    let proxy = json!({ "name": "linkerd-proxy", "image": "cr.l5d.io/linkerd/proxy@sha256:abc",
                        "env": [{ "name": "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS", "value": anchors }] });
    let labels = json!({ "linkerd.io/control-plane-ns": "linkerd", "app": name });
    let mut status = status(&[("linkerd-proxy", is_ready), ("app", true)]);
    status["podIP"] = "10.1.0.9".into();
    status["podIPs"] = json!([{ "ip": "10.1.0.9" }]);
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name, "labels": labels },
        "spec": { "containers": [proxy, { "name": "app", "image": "app" }] },
        "status": status,
    })
}

// Acceptance cases 50, 55 and 58 of installation.
#[tokio::test]
async fn the_data_plane_is_checked_in_all_namespaces_or_in_one() -> Result<()> {
    let installed = Installed::start().await?;
    let config = Some(installed.server.kubeconfig());
    let cluster = &installed.cluster;
    cluster.namespace("app").await?;
    let check = ["check", "--proxy", "--wait=0", "-o=short"];
    let in_app = [&check[..], &["-n=app"]].concat();

    let report = linkerd(config, &[&check[..], &["-n=nope"]].concat()).await?.failed();
    assert!(report.contains("    The \"nope\" namespace does not exist\n"), "{report}");
    linkerd(config, &["check", "-n=nope", "--wait=60s"]).await?.passed();
    let report = linkerd(config, &in_app).await?.failed();
    assert!(report.contains("    no \"linkerd-proxy\" containers found in the \"app\" namespace\n"), "{report}");

    installed.apply("app", pod("web", &installed.anchors, READY)).await?;
    let report = linkerd(config, &["check", "--proxy", "--wait=60s"]).await?.passed();
    for check in
        ["data plane proxies certificate match CA", "data plane proxies are certified", "data plane proxies are ready"]
    {
        assert!(report.contains(&format!("\n\u{221a} {check}\n")), "{report}");
    }

    installed.apply("app", pod("old", "former anchors", READY)).await?;
    let lonely = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": { "name": "lonely", "labels": { "linkerd.io/inject": "enabled" } },
        "spec": { "selector": { "app": "nobody" }, "ports": [{ "port": 80 }] },
    });
    installed.apply("app", lonely).await?;
    let service = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": { "name": "web", "annotations": { "config.linkerd.io/opaque-ports": "7000" } },
        "spec": { "selector": { "app": "web" }, "ports": [{ "port": 7000 }] },
    });
    installed.apply("app", service).await?;
    insta::assert_snapshot!(linkerd(config, &in_app).await?.passed(), @r"
    linkerd-identity-data-plane
    ---------------------------
    ‼ data plane proxies certificate match CA
        these pods do not have the current trust anchors; restart them:
    	* app/old
        see https://linkerd.io/2/checks/#l5d-identity-data-plane-proxies-certs-match-ca for hints

    linkerd-data-plane
    ------------------
    ‼ data plane service labels are configured correctly
        Some labels on data plane services should be annotations:
    	* app/lonely
    		linkerd.io/inject
        see https://linkerd.io/2/checks/#l5d-data-plane-services-labels for hints
    ‼ opaque ports are properly annotated
        some opaque ports are not annotated on both sides:
    	* service web expects target port 7000 to be opaque; add it to pod web config.linkerd.io/opaque-ports annotation
        see https://linkerd.io/2/checks/#linkerd-opaque-ports-definition for hints

    Status check results are √
    ");

    installed.apply("app", pod("stuck", &installed.anchors, !READY)).await?;
    let report = linkerd(config, &in_app).await?.failed();
    let uncertified = "\u{203c} data plane proxies are certified\n    the proxies of these pods are not ready, which";
    assert!(report.contains(uncertified) && report.contains("linkerd-proxy`:\n\t* app/stuck\n"), "{report}");
    let unready = "\u{d7} data plane proxies are ready\n    the proxies of these pods are not ready:\n\t* app/stuck (not ready)\n";
    assert!(report.contains(unready), "{report}");
    Ok(())
}
