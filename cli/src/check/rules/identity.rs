//! Whether the issuer's credentials can issue what proxies trust.

use crate::check::{
    context::Context,
    verdict::{Finding, Verdict, none_of},
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use linkerd_identity::core::{
    algorithm,
    chain::TrustAnchors,
    issuer::{Issuer, IssuerError},
    pem,
    validity::Validity,
};
use linkerd_k8s::Identity;
use rustls_pki_types::CertificateDer;
use x509_parser::{certificate::X509Certificate, prelude::FromDer};

/// What is left of a certificate's life when it is worth a warning.
pub const SOON: SignedDuration = SignedDuration::from_hours(60 * 24);
const SECRET: &str = "linkerd-identity-issuer";

/// Issuer and trust anchors, as they were read.
struct Credentials {
    /// The issuer, or why it cannot issue.
    issuer: Result<Issuer, IssuerError>,
    /// The trust anchors, as they are encoded.
    anchors: Vec<CertificateDer<'static>>,
    /// The same, to verify with.
    trusted: TrustAnchors,
}

impl Credentials {
    async fn of(context: &Context) -> Result<Self, Finding> {
        let config = context.config().await?;
        let secret = context.reads()?.one::<Secret>(context.namespace(), SECRET).await?;
        let secret = Option::as_ref(&secret).ok_or_else(|| {
            Finding::Error(format!("there is no Secret {SECRET} in namespace {}", context.namespace()))
        })?;
        Self::read(config.text("/identity/issuer/scheme"), secret, &context.trust_anchors().await?)
    }

    fn read(scheme: &str, secret: &Secret, bundle: &str) -> Result<Self, Finding> {
        let is_external = scheme != "linkerd.io/tls";
        let (certificate, key) = if is_external { ("tls.crt", "tls.key") } else { ("crt.pem", "key.pem") };
        let part = |key: &str, what: &str| {
            let part = secret.data.as_ref().and_then(|data| data.get(key)).filter(|part| !part.0.is_empty());
            part.map(|part| part.0.as_slice()).ok_or_else(|| {
                Finding::Error(format!(
                    "key {key} containing the {what} needs to exist in secret {SECRET} if --identity-external-issuer={is_external}"
                ))
            })
        };
        let (certificate, key) = (part(certificate, "issuer certificate")?, part(key, "issuer key")?);
        let error = |error: &dyn std::fmt::Display| Finding::Error(error.to_string());
        Ok(Self {
            issuer: Issuer::from_pem(certificate, key),
            anchors: pem::certificates(bundle.as_bytes())
                .map_err(|e| error(&format!("cannot read the trust anchors: {e}")))?,
            trusted: TrustAnchors::from_pem(bundle.as_bytes()).map_err(|e| error(&e))?,
        })
    }

    fn issuer(&self) -> Result<&Issuer, Finding> {
        self.issuer.as_ref().map_err(|error| Finding::Error(error.to_string()))
    }

    /// A line for each anchor about which there is something to say.
    fn anchors(&self, heading: &str, judge: impl Fn(&X509Certificate<'_>) -> Result<(), String>) -> Verdict {
        let lines = self.anchors.iter().filter_map(|der| {
            let Ok((_, certificate)) = X509Certificate::from_der(der) else { return Some("cannot be read".to_owned()) };
            let name = certificate.subject().iter_common_name().next().and_then(|name| name.as_str().ok());
            let line = |reason| format!("{} {} {reason}", certificate.serial, name.unwrap_or("without a name"));
            judge(&certificate).err().map(line)
        });
        none_of(heading, lines)
    }
}

/// The credentials can be read and belong together.
pub async fn config(context: &Context) -> Verdict {
    match Credentials::of(context).await?.issuer {
        // There is a check of its own for algorithms.
        Ok(_) | Err(IssuerError::Algorithm(_)) => Ok(()),
        Err(error) => Err(Finding::Error(error.to_string())),
    }
}

/// Algorithms of the trust anchors.
pub async fn anchor_algorithms(context: &Context) -> Verdict {
    have_supported_algorithms(&Credentials::of(context).await?)
}

fn have_supported_algorithms(credentials: &Credentials) -> Verdict {
    let judge =
        |certificate: &X509Certificate<'_>| algorithm::check_anchor(certificate).map_err(|error| error.to_string());
    credentials.anchors("Invalid trustAnchors:", judge)
}

/// Validity of the trust anchors.
pub async fn anchors_in_time(context: &Context) -> Verdict {
    are_in_time(&Credentials::of(context).await?, context.now())
}

fn are_in_time(credentials: &Credentials, now: Timestamp) -> Verdict {
    let judge =
        |certificate: &X509Certificate<'_>| Validity::of(certificate).check(now).map_err(|error| error.to_string());
    credentials.anchors("Invalid anchors:", judge)
}

/// The end of the trust anchors is far.
pub async fn anchors_last(context: &Context) -> Verdict {
    do_last(&Credentials::of(context).await?, context.now())
}

fn do_last(credentials: &Credentials, now: Timestamp) -> Verdict {
    let judge = |certificate: &X509Certificate<'_>| lasts(&Validity::of(certificate), now);
    credentials.anchors("Anchors expiring soon:", judge)
}

/// Whether a certificate is valid for long enough.
///
/// # Errors
/// When it ends.
pub fn lasts(validity: &Validity, now: Timestamp) -> Result<(), String> {
    match validity.not_after.duration_since(now) < SOON {
        true => Err(format!("will expire on {}", validity.not_after)),
        false => Ok(()),
    }
}

/// Algorithms of the issuer.
pub async fn issuer_algorithm(context: &Context) -> Verdict {
    match Credentials::of(context).await?.issuer {
        Err(IssuerError::Algorithm(error)) => Err(Finding::Error(format!("issuer certificate: {error}"))),
        _ => Ok(()),
    }
}

/// Validity of the issuer.
pub async fn issuer_in_time(context: &Context) -> Verdict {
    let credentials = Credentials::of(context).await?;
    let checked = credentials.issuer()?.chain_validity().check(context.now());
    checked.map_err(|error| Finding::Error(format!("issuer certificate is {error}")))
}

/// The end of the issuer is far.
pub async fn issuer_lasts(context: &Context) -> Verdict {
    let credentials = Credentials::of(context).await?;
    let checked = lasts(&credentials.issuer()?.chain_validity(), context.now());
    checked.map_err(|error| Finding::Error(format!("issuer certificate {error}")))
}

/// The trust anchors trust the issuer.
pub async fn issuer_is_trusted(context: &Context) -> Verdict {
    let config = context.config().await?;
    let domain = config.values.trust_domain();
    let name = Identity::service_account("linkerd-identity", context.namespace(), context.namespace(), domain);
    is_trusted(&Credentials::of(context).await?, name.as_str(), context.now())
}

fn is_trusted(credentials: &Credentials, name: &str, now: Timestamp) -> Verdict {
    let verified = credentials.trusted.verify(credentials.issuer()?, name, now);
    verified.map(drop).map_err(|error| Finding::Error(error.to_string()))
}

#[cfg(test)]
mod tests;
