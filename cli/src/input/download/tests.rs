use super::*;
use rustls::{ClientConfig, RootCertStore, ServerConfig, pki_types::PrivateKeyDer};
use std::sync::Arc;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

#[test]
fn only_what_has_scheme_and_host_is_an_address() {
    for path in ["www.x.io/", "./a.yaml", "https//", "-", "a b", "https:/x", "C:\\a.yaml"] {
        assert_eq!(url(path).unwrap(), None, "{path}");
    }
    assert!(url("https://x/y.yml").unwrap().is_some());
    assert_eq!(url("http://x/y.yml").unwrap_err().to_string(), "only HTTPS URLs are allowed");
    assert!(url("ftp://x/y.yml").is_err());
}

#[test]
fn a_redirect_stays_on_tls() {
    let from: Uri = "https://x/a".parse().unwrap();
    assert_eq!(redirected(&from, "/b?c").unwrap(), "https://x/b?c");
    assert_eq!(redirected(&from, "https://y/b").unwrap(), "https://y/b");
    assert_eq!(redirected(&from, "http://y/b").unwrap_err().to_string(), "only HTTPS URLs are allowed");
}

/// A server with TLS that answers each path with a response, and a client that trusts it.
async fn server(respond: fn(&str) -> &'static str) -> (Uri, HttpsConnector<HttpConnector>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let provider = linkerd_controller::tls::provider();
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let config = config.expect("versions").with_no_client_auth();
    let config = config.with_single_cert(vec![made.cert.der().clone()], key).expect("a key that fits");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.unwrap_or_default();
            let request = String::from_utf8_lossy(&request[..length]).into_owned();
            let path = request.split(' ').nth(1).unwrap_or_default();
            let (head, body) = respond(path).split_once('|').unwrap_or((respond(path), ""));
            let response = format!("HTTP/1.1 {head}\r\nConnection: close\r\n\r\n{body}");
            // The client may be gone.
            let _ = stream.write_all(response.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).expect("a root");
    let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let client = client.expect("versions").with_root_certificates(roots).with_no_client_auth();
    let connector = HttpsConnectorBuilder::new().with_tls_config(client).https_only().enable_http1().build();
    (format!("https://localhost:{port}/start").parse().expect("an address"), connector)
}

#[tokio::test]
async fn a_redirect_is_followed_to_the_manifest() {
    let respond = |path: &str| if path == "/start" { "302 Found\r\nLocation: /manifest" } else { "200 OK|kind: Pod" };
    let (uri, connector) = server(respond).await;
    assert_eq!(fetch(connector, uri).await.unwrap(), b"kind: Pod");
}

#[tokio::test]
async fn a_refusal_and_a_loop_are_told_with_the_address() {
    let (uri, connector) = server(|_| "404 Not Found").await;
    let error = fetch(connector, uri.clone()).await.unwrap_err().to_string();
    let expected = format!("unable to read URL \"{uri}\", server reported 404 Not Found, status code=404");
    assert_eq!(error, expected);
    let (uri, connector) = server(|_| "302 Found\r\nLocation: /again").await;
    let error = fetch(connector, uri.clone()).await.unwrap_err().to_string();
    assert_eq!(error, format!("unable to read URL \"{uri}\": it redirects more than 10 times"));
}
