//! ServiceProfiles through `linkerd-sp-validator`.

use anyhow::{Result, ensure};
use linkerd_tests::eventually;
use serde_json::json;

use crate::setup::{DEADLINE, Service, ServingCertificate, cluster};

const WRONG: &str = "
apiVersion: linkerd.io/v1alpha2
kind: ServiceProfile
metadata: {name: web-svc.emojivoto.svc.cluster.local}
spec: {routes: [{name: list, timeout: one-second, condition: {method: GET}}]}
";

#[tokio::test]
async fn a_wrong_profile_is_rejected_with_the_reason_and_a_right_one_is_taken() -> Result<()> {
    let (server, cluster) = cluster().await?;
    let namespace = cluster.unique_namespace("profiles").await?;
    let certificate = ServingCertificate::make()?;
    let Service { process, address } =
        Service::new("linkerd-sp-validator", ["-addr", "-metrics-addr"], server.kubeconfig())?
            .args(&[&format!("-tls-dir={}", certificate.folder().display())]);
    let _validator = process.start(DEADLINE).await?;
    let rule = json!({
        "operations": ["CREATE", "UPDATE"], "apiGroups": ["linkerd.io"],
        "apiVersions": ["v1alpha1", "v1alpha2"], "resources": ["serviceprofiles"],
    });
    let configuration = certificate.configuration("ValidatingWebhookConfiguration", &namespace, address, rule);
    cluster.apply(&namespace, &configuration).await?;

    // The API server takes a moment to call a webhook that is new to it.
    eventually(DEADLINE, || async {
        let Err(error) = cluster.apply(&namespace, WRONG).await else { anyhow::bail!("the profile was taken") };
        let error = format!("{error:#}");
        ensure!(error.contains("has a route with an invalid timeout: time: invalid duration"), "{error}");
        Ok(())
    })
    .await?;
    cluster.apply(&namespace, &WRONG.replace("one-second", "1s")).await?;
    Ok(())
}
