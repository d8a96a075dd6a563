//! A policy that shuts a client out is felt by the client, and its removal heals it.

use anyhow::{Result, ensure};
use linkerd_tests::eventually;

use crate::load;
use crate::mesh::{MOMENT, Mesh};
use crate::metrics::Sample;

/// The policy of the website, for those whom an authentication of the demo admits.
fn admit(kind: &str, name: &str) -> String {
    format!(
        "apiVersion: policy.linkerd.io/v1alpha1
kind: AuthorizationPolicy
metadata:
  name: web-http
  namespace: emojivoto
spec:
  targetRef:
    group: policy.linkerd.io
    kind: Server
    name: web-http
  requiredAuthenticationRefs:
  - group: policy.linkerd.io
    kind: {kind}
    name: {name}
"
    )
}

pub async fn authorization(mesh: &Mesh) -> Result<()> {
    let client = load::pod(mesh).await?;
    let refused = async || Ok::<_, anyhow::Error>(mesh.proxy_metrics(&client).await?.sum("response_total", is_refused));
    let before = refused().await?;
    // The website alone, as for the two services behind it.
    mesh.apply(&admit("MeshTLSAuthentication", "web")).await?;
    let denied = eventually(MOMENT, || async {
        let requests = load::moment(mesh).await?;
        ensure!(requests.lost == requests.sent, "not all requests are refused: {requests:?}");
        let refused = refused().await? - before;
        ensure!(refused > 0.0, "the client has seen no status 403");
        Ok(())
    });
    let denied = denied.await;
    // Everybody, as the demo has it; also after a failure, which should not go from one step into the next.
    mesh.apply(&admit("NetworkAuthentication", "everywhere")).await?;
    denied?;
    eventually(MOMENT, || async {
        let requests = load::moment(mesh).await?;
        ensure!(requests.lost == 0, "requests still fail: {requests:?}");
        Ok(())
    })
    .await
}

fn is_refused(sample: &Sample) -> bool {
    sample.label("direction") == "outbound" && sample.label("status_code") == "403"
}
