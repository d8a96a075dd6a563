//! TLS with a server that the mesh certified.

use crate::{cluster::told, port_forward::Forwarded};
use anyhow::Context as _;
use linkerd_controller::tls::mesh_client;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use std::{io, pin::Pin, sync::Arc, time::Duration};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

/// Who the server has to be.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Tls {
    /// A server with an identity that trust anchors in PEM vouch for.
    ///
    /// # Errors
    /// When the anchors are none, or the identity is no name.
    pub fn new(anchors: &str, identity: &str) -> anyhow::Result<Self> {
        let config = mesh_client(anchors.as_bytes()).context(UNUSABLE)?;
        let name = ServerName::try_from(identity.to_owned());
        let name = name.with_context(|| format!("{identity} cannot be the identity of a server"))?;
        Ok(Self { config: Arc::new(config), name })
    }

    /// The identity.
    pub fn name(&self) -> std::borrow::Cow<'_, str> {
        self.name.to_str()
    }
}

const UNUSABLE: &str = "the trust anchors in ConfigMap linkerd-identity-trust-roots cannot be used";

/// How long a server in plain text may be silent. It says first what it supports (RFC 9113, section 3.4).
const SILENCE: Duration = Duration::from_secs(1);

/// A connection in plain text, or with TLS.
pub type Stream = Pin<Box<dyn Bytes>>;

/// Bytes in both directions.
pub trait Bytes: AsyncRead + AsyncWrite + Send {}

impl<T: AsyncRead + AsyncWrite + Send> Bytes for T {}

/// The stream itself, once the server has answered, or TLS over it.
///
/// # Errors
/// When no server is there, or it is not who it should be.
pub async fn secured(mut stream: Forwarded, tls: Option<Tls>) -> io::Result<Stream> {
    let Some(Tls { config, name }) = tls else {
        stream.answered(SILENCE).await?;
        return Ok(Box::pin(stream));
    };
    let identity = name.to_str().into_owned();
    match TlsConnector::from(config).connect(name, stream).await {
        Ok(stream) => Ok(Box::pin(stream)),
        // The node's reason: no server is there.
        Err(error) if error.kind() == io::ErrorKind::Other => Err(error),
        Err(error) => Err(io::Error::other(format!("TLS as {identity} failed: {}", told(&error)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use linkerd_identity::generate::Credentials;

    const IDENTITY: &str = "linkerd-destination.linkerd.serviceaccount.identity.linkerd.cluster.local";

    #[test]
    fn trust_anchors_are_certificates_in_pem() {
        let now = jiff::Timestamp::now();
        let anchor = Credentials::generate("linkerd", "cluster.local", now).unwrap().trust_anchor;
        assert_eq!(Tls::new(&format!("{anchor}\n{anchor}"), IDENTITY).unwrap().name(), IDENTITY);
        for none in ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            let error = Tls::new(none, IDENTITY).err().unwrap().to_string();
            assert!(error.starts_with("the trust anchors in ConfigMap linkerd-identity-trust-roots cannot"), "{error}");
        }
    }
}
