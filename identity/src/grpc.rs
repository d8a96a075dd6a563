//! `io.linkerd.proxy.identity.Identity` on the wire.

use crate::service::{Certified, Request, Service};
use linkerd_controller::grpc::{Methods, encode};
use linkerd_proto::{
    Timestamp,
    identity::{CertifyRequest, CertifyResponse},
};
use tonic::Status;

/// Adds `Certify` to the methods of a server.
pub fn methods(service: Service, methods: Methods) -> Methods {
    methods.unary("io.linkerd.proxy.identity.Identity", "Certify", move |request: CertifyRequest| {
        let service = service.clone();
        async move { Ok(encode(&certify(&service, request).await?)) }
    })
}

/// Answers one request.
///
/// # Errors
/// The status that the caller is sent.
pub async fn certify(service: &Service, request: CertifyRequest) -> Result<CertifyResponse, Status> {
    let request =
        Request { identity: request.identity, token: request.token, csr: request.certificate_signing_request };
    Ok(response(service.certify(request).await?))
}

fn response(certified: Certified) -> CertifyResponse {
    CertifyResponse {
        intermediate_certificates: certified.intermediates().iter().map(|der| der.to_vec()).collect(),
        // Certificates have whole seconds.
        valid_until: Some(Timestamp { seconds: certified.leaf.validity.not_after.as_second(), nanos: 0 }),
        leaf_certificate: certified.leaf.der,
    }
}

#[cfg(test)]
mod tests;
