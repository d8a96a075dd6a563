//! Issuer and trust anchors: those that are given, or new ones.

use super::{
    arguments::IdentityArgs,
    values::{at, put, text_at},
};
use anyhow::{Context as _, bail, ensure};
use jiff::{SignedDuration, Timestamp};
use linkerd_identity::{
    core::{authority::Authority, chain::TrustAnchors, issuer::Issuer},
    generate::Credentials,
};
use linkerd_k8s::identity::Identity;
use serde_json::Value;
use std::{fs, path::Path};

const ANCHORS: &str = "identityTrustAnchorsPEM";
const CERTIFICATE: &str = "identity.issuer.tls.crtPEM";
const KEY: &str = "identity.issuer.tls.keyPEM";
/// Scheme of an issuer whose Secret something else makes.
const EXTERNAL: &str = "kubernetes.io/tls";
/// What is left of a certificate's life when it is worth a warning.
const SOON: SignedDuration = SignedDuration::from_hours(60 * 24);

/// Where credentials come from when they are not given.
#[derive(Clone, Copy, Debug)]
pub struct Fallback<'a> {
    /// Namespace of the control plane.
    pub namespace: &'a str,
    /// The trust anchors beside an external issuer, if the cluster was asked and has them.
    pub external_anchors: Option<&'a str>,
    /// The time.
    pub now: Timestamp,
}

/// Fills the credentials into the values: those of files, of values, of the cluster, or new ones.
///
/// # Errors
/// When only some are given, or a file cannot be read.
pub fn fill(values: &mut Value, args: &IdentityArgs, fallback: Fallback<'_>) -> anyhow::Result<()> {
    for (place, file) in [
        (ANCHORS, &args.identity_trust_anchors_file),
        (CERTIFICATE, &args.identity_issuer_certificate_file),
        (KEY, &args.identity_issuer_key_file),
    ] {
        if let Some(file) = file {
            put(values, place, read(file)?);
        }
    }
    let is_given = |place| !text_at(values, place).trim().is_empty();
    let (anchors, certificate, key) = (is_given(ANCHORS), is_given(CERTIFICATE), is_given(KEY));
    let anchors_are_external = at(values, "identity.externalCA") == true;
    if is_external(values) {
        return external(values, certificate || key, anchors || anchors_are_external, fallback);
    }
    if !(anchors || certificate || key || anchors_are_external) {
        return generate(values, fallback);
    }
    let missing = [
        (anchors || anchors_are_external, "trust anchors", "--identity-trust-anchors-file"),
        (certificate, "certificate", "--identity-issuer-certificate-file"),
        (key, "private key", "--identity-issuer-key-file"),
    ];
    if let Some((_, what, flag)) = missing.into_iter().find(|(is_given, ..)| !is_given) {
        bail!("a {what} file must be specified if other credentials are provided; give {flag}");
    }
    Ok(())
}

fn is_external(values: &Value) -> bool {
    text_at(values, "identity.issuer.scheme") == EXTERNAL
}

fn external(values: &mut Value, has_issuer: bool, has_anchors: bool, fallback: Fallback<'_>) -> anyhow::Result<()> {
    ensure!(
        !has_issuer,
        "with an external issuer, something else makes the Secret linkerd-identity-issuer; \
         remove --identity-issuer-certificate-file, --identity-issuer-key-file and their values"
    );
    if !has_anchors {
        let anchors = fallback.external_anchors.context(
            "with an external issuer, the trust anchors are read from the key ca.crt of the Secret \
             linkerd-identity-issuer, which the cluster did not give; make that Secret, or give \
             --identity-trust-anchors-file",
        )?;
        put(values, ANCHORS, anchors);
    }
    Ok(())
}

fn generate(values: &mut Value, Fallback { namespace, now, .. }: Fallback<'_>) -> anyhow::Result<()> {
    let made = Credentials::generate(namespace, &trust_domain(values), now)?;
    put(values, ANCHORS, made.trust_anchor);
    put(values, CERTIFICATE, made.issuer);
    put(values, KEY, made.issuer_key);
    Ok(())
}

fn trust_domain(values: &Value) -> String {
    let domain = text_at(values, "identityTrustDomain");
    if domain.is_empty() { text_at(values, "clusterDomain") } else { domain }
}

/// Checks that proxies will trust what the issuer signs. Returns what is worth a warning.
///
/// # Errors
/// When they would not, or the identity service would refuse the credentials.
pub fn check(values: &Value, namespace: &str, now: Timestamp) -> anyhow::Result<Vec<String>> {
    check_chain(values, namespace, now).context("failed to validate issuer credentials")
}

fn check_chain(values: &Value, namespace: &str, now: Timestamp) -> anyhow::Result<Vec<String>> {
    let anchors = text_at(values, ANCHORS);
    let anchors = match anchors.trim() {
        // Whoever maintains them was not asked.
        "" => None,
        bundle => Some(TrustAnchors::from_pem(bundle.as_bytes())?),
    };
    let mut warnings = Vec::new();
    let mut warn = |what: &str, until: Timestamp| {
        if until.duration_since(now) < SOON {
            warnings.push(format!("{what} will expire on {until}"));
        }
    };
    for anchor in anchors.iter().flat_map(TrustAnchors::iter) {
        warn(&format!("trust anchor {}", anchor.subject), anchor.validity.not_after);
    }
    if !is_external(values) {
        let issuer = Issuer::from_pem(text_at(values, CERTIFICATE).as_bytes(), text_at(values, KEY).as_bytes())?;
        warn("issuer certificate", issuer.chain_validity().not_after);
        if let Some(anchors) = anchors {
            let name = Identity::service_account("linkerd-identity", namespace, namespace, &trust_domain(values));
            Authority::new(issuer, anchors, name.as_str(), now)?;
        }
    }
    Ok(warnings)
}

fn read(file: &Path) -> anyhow::Result<String> {
    fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

#[cfg(test)]
mod tests;
