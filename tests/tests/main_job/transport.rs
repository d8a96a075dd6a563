//! The control plane's own certificates: no proxy runs beside its processes.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use hyper_util::rt::TokioIo;
use linkerd_proto::destination::{GetDestination, destination_client::DestinationClient};
use linkerd_tests::cluster::Cluster;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::Code;
use tonic::transport::{Channel, Endpoint};

use crate::certificates::{AUDIENCE, Authority, identity};
use crate::setup::{DEADLINE, Service, cluster};

/// A service account of the control plane with its token in a file.
async fn token(cluster: &Cluster, authority: &Authority, account: &str) -> Result<PathBuf> {
    // Another test may have made it.
    let _ = cluster.namespace("linkerd").await;
    let _ = cluster.service_account("linkerd", account).await;
    let path = authority.folder().join(account);
    std::fs::write(&path, cluster.token("linkerd", account, &[AUDIENCE]).await?)?;
    Ok(path)
}

/// Connects as a proxy does to a server that it knows by its identity.
async fn connect(authority: &Authority, address: SocketAddr, name: &str) -> Result<Channel> {
    let connector = TlsConnector::from(Arc::new(authority.client()?));
    let name = ServerName::try_from(name.to_owned())?;
    let connect = tower::service_fn(move |_: http::Uri| {
        let (connector, name) = (connector.clone(), name.clone());
        async move {
            let stream = connector.connect(name, TcpStream::connect(address).await?).await?;
            Ok::<_, std::io::Error>(TokioIo::new(stream))
        }
    });
    Ok(Endpoint::from_shared(format!("http://{address}"))?.connect_with_connector(connect).await?)
}

#[tokio::test]
async fn processes_certify_themselves_in_any_order_and_serve_tls_to_clients_without_certificate() -> Result<()> {
    let (server, cluster) = cluster().await?;
    let authority = Authority::make()?;
    let Service { process, address: certifier } = authority.service(server.kubeconfig())?;
    let own_token = token(&cluster, &authority, "linkerd-identity").await?;
    let identity_process = process.arg(format!("-own-token={}", own_token.display()));

    // Destination starts first, and waits for its certificate.
    let destination_token = token(&cluster, &authority, "linkerd-destination").await?;
    let Service { process, address } =
        Service::new("linkerd-destination", ["-addr", "-metrics-addr"], server.kubeconfig())?.args(&[
            &format!("-identity-svc-addr={certifier}"),
            &format!("-identity-token={}", destination_token.display()),
            &format!("-identity-trust-anchors={}", authority.anchors().display()),
            "-service-account=linkerd-destination",
        ]);
    let mut destination = process.spawn()?;
    let _identity = identity_process.start(DEADLINE).await?;
    destination.ready(DEADLINE).await?;

    let name = identity("linkerd-destination", "linkerd");
    let channel = connect(&authority, address, &name).await?;
    let request = GetDestination { path: "no.where.svc.cluster.local:80".to_owned(), ..GetDestination::default() };
    let status = DestinationClient::new(channel).get(request).await.err().context("it was found")?;
    assert_eq!(status.code(), Code::NotFound, "{status:?}");

    let other = connect(&authority, address, &identity("web", "emojivoto")).await;
    assert!(other.is_err(), "a server was taken for another");
    let plain = DestinationClient::connect(format!("http://{address}")).await;
    let answer = match plain {
        Ok(mut client) => client.get(GetDestination::default()).await.map(drop).map_err(|status| status.code()),
        Err(_) => Err(Code::Unavailable),
    };
    assert!(answer.is_err_and(|code| code != Code::InvalidArgument), "plain text was answered");
    Ok(())
}
