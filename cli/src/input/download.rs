//! Manifests from the web.

use anyhow::{Context as _, anyhow, bail};
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use std::time::Duration;

/// Largest manifest that is read, in bytes.
const MAX_SIZE: usize = 64 * 1024 * 1024;
/// Longest wait for a manifest.
const LIMIT: Duration = Duration::from_secs(60);
/// Most redirects that are followed.
const MAX_REDIRECTS: usize = 10;

/// The address that an argument is, if it has scheme and host; other arguments are paths.
///
/// # Errors
/// When it is the address of something that is not fetched over TLS.
pub fn url(argument: &str) -> anyhow::Result<Option<Uri>> {
    let Ok(uri) = argument.parse::<Uri>() else { return Ok(None) };
    match (uri.scheme_str(), uri.host()) {
        (Some("https"), Some(host)) if !host.is_empty() => Ok(Some(uri)),
        (Some(_), Some(host)) if !host.is_empty() => bail!("only HTTPS URLs are allowed"),
        _ => Ok(None),
    }
}

/// Fetches an address.
///
/// # Errors
/// When the server cannot be reached, or has another answer than success.
pub fn download(uri: Uri) -> anyhow::Result<Vec<u8>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let connector = HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(linkerd_controller::tls::provider())
        .context("cannot read this system's certificate authorities")?;
    let connector = connector.https_only().enable_http1().build();
    runtime.block_on(async {
        let downloaded = tokio::time::timeout(LIMIT, fetch(connector, uri.clone()));
        downloaded.await.unwrap_or_else(|_| Err(anyhow!("unable to read URL \"{uri}\": no answer within {LIMIT:?}")))
    })
}

async fn fetch(connector: HttpsConnector<HttpConnector>, start: Uri) -> anyhow::Result<Vec<u8>> {
    let client: Client<_, Empty<bytes::Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
    let mut uri = start.clone();
    for _ in 0..=MAX_REDIRECTS {
        let failed = || format!("unable to read URL \"{uri}\"");
        let request = Request::get(&uri).header(header::USER_AGENT, "linkerd").body(Empty::new())?;
        let response = client.request(request).await.with_context(failed)?;
        let status = response.status();
        if let Some(next) = response.headers().get(header::LOCATION).filter(|_| status.is_redirection()) {
            uri = redirected(&uri, next.to_str()?)?;
            continue;
        }
        if status != StatusCode::OK {
            bail!("unable to read URL \"{uri}\", server reported {status}, status code={}", status.as_u16());
        }
        let body = Limited::new(response.into_body(), MAX_SIZE).collect().await;
        return Ok(body.map_err(|error| anyhow!(error)).with_context(failed)?.to_bytes().into());
    }
    bail!("unable to read URL \"{start}\": it redirects more than {MAX_REDIRECTS} times")
}

/// Where a redirect from `from` leads.
fn redirected(from: &Uri, location: &str) -> anyhow::Result<Uri> {
    if location.starts_with('/') && !location.starts_with("//") {
        let mut parts = from.clone().into_parts();
        parts.path_and_query = Some(location.parse()?);
        return Ok(Uri::from_parts(parts)?);
    }
    url(location)?.ok_or_else(|| anyhow!("unable to read URL \"{from}\": it redirects to {location:?}"))
}

#[cfg(test)]
mod tests;
