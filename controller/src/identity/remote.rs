//! The identity service over the network.

use super::{Certify, CertifyError, read};
use crate::tls;
use hyper_util::rt::TokioIo;
use linkerd_proto::identity::{CertifyRequest, CertifyResponse, identity_client::IdentityClient};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::Endpoint;

/// Asks an identity service over TLS, whose name is checked against the trust anchors.
pub struct RemoteIdentity {
    /// HOST:PORT.
    pub address: String,
    /// Identity of the service.
    pub name: String,
    /// File with the trust anchors, read again for each attempt.
    pub anchors: PathBuf,
}

impl Certify for RemoteIdentity {
    async fn certify(&self, request: CertifyRequest) -> Result<CertifyResponse, CertifyError> {
        let connector = TlsConnector::from(Arc::new(client_config(&self.anchors)?));
        let name = ServerName::try_from(self.name.clone()).map_err(|error| CertifyError::Answer(error.to_string()))?;
        let address = self.address.clone();
        let connect = tower::service_fn(move |_: http::Uri| {
            let (connector, name, address) = (connector.clone(), name.clone(), address.clone());
            async move {
                let stream = connector.connect(name, TcpStream::connect(address).await?).await?;
                Ok::<_, std::io::Error>(TokioIo::new(stream))
            }
        });
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address))?;
        let channel = endpoint.connect_with_connector(connect).await?;
        Ok(IdentityClient::new(channel).certify(request).await?.into_inner())
    }
}

fn client_config(anchors: &Path) -> Result<ClientConfig, CertifyError> {
    tls::mesh_client(&read(anchors)?)
        .map_err(|error| CertifyError::Anchors { path: anchors.display().to_string(), reason: error.to_string() })
}
