//! The identity process: from its arguments to a server.

use crate::{
    args::Args,
    grpc,
    rate_limit::limited,
    reviewer::{KubernetesReviewer, with_causes},
    service::{self, EventSink, IssuerSource},
};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::{Api, Client, api::PostParams};
use linkerd_controller::{
    args::ProcessArgs,
    client,
    grpc::Methods,
    identity,
    listen::Listener,
    tasks::{BoxError, Tasks},
};
use linkerd_proto::identity::{CertifyRequest, CertifyResponse};
use std::{sync::Arc, time::Duration};

/// Longest time for the API server to say whether tokens may be reviewed.
const ACCESS_CHECK: Duration = Duration::from_secs(30);

/// Why tokens cannot be reviewed.
#[derive(Debug, thiserror::Error)]
enum AccessError {
    #[error("Unable to create kubernetes token reviews: {0}")]
    Denied(String),
    #[error("cannot ask the API server whether token reviews are allowed: {}", with_causes(.0))]
    Client(#[from] kube::Error),
    #[error("cannot ask the API server whether token reviews are allowed: no answer within {} s", ACCESS_CHECK.as_secs())]
    Timeout,
}

/// Starts the process's tasks.
///
/// # Errors
/// When the arguments are wrong, the issuer cannot be used, or tokens cannot be reviewed.
pub async fn run(args: Args, tasks: Tasks) -> Result<(), BoxError> {
    let Some(settings) = args.settings()? else {
        tracing::info!("identity disabled: no scheme or no trust domain");
        tasks.stop();
        return Ok(());
    };
    tracing::info!(?settings, "configured");
    let client = client::connect_counted(args.common(), &tasks.metrics).await?;
    let own_identity = settings.config.own_identity();
    let service = service::start(
        settings.config,
        Arc::new(KubernetesReviewer::new(client.clone())),
        IssuerSource::Cluster {
            files: settings.files,
            objects: settings.objects,
            scheme: settings.scheme,
            client: client.clone(),
        },
        EventSink::Cluster { client: client.clone(), on_issuance: settings.issuance_events },
        &tasks,
    )?;
    check_access(client).await?;
    let certificate = match args.own_token.0 {
        Some(token) => Some(identity::keep_certified(&tasks, own_identity, token, Itself(service.clone()))?),
        None => None,
    };
    let listener = Listener::bind(settings.addr)?.with_certificate(certificate.as_ref())?;
    let metrics = service.metrics().clone();
    let router = limited(grpc::methods(service, Methods::new(&tasks)).into_router(), metrics);
    tasks.spawn_draining("gRPC server", listener.serve(router, tasks.shutdown().clone()));
    Ok(())
}

/// The identity service as its own client.
struct Itself(service::Service);

impl identity::Certify for Itself {
    async fn certify(&self, request: CertifyRequest) -> Result<CertifyResponse, identity::CertifyError> {
        Ok(grpc::certify(&self.0, request).await?)
    }
}

async fn check_access(client: Client) -> Result<(), AccessError> {
    let question = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                group: Some("authentication.k8s.io".to_owned()),
                version: Some("v1".to_owned()),
                resource: Some("tokenreviews".to_owned()),
                verb: Some("create".to_owned()),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let (api, post) = (Api::<SelfSubjectAccessReview>::all(client), PostParams::default());
    let answer = tokio::time::timeout(ACCESS_CHECK, api.create(&post, &question)).await;
    let status = answer.map_err(|_| AccessError::Timeout)??.status.unwrap_or_default();
    if status.allowed {
        return Ok(());
    }
    let reasons = [status.reason, status.evaluation_error].into_iter().flatten().collect::<Vec<_>>().join(": ");
    Err(AccessError::Denied(reasons))
}

#[cfg(test)]
mod tests;
