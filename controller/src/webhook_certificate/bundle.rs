//! A certificate with its key and the authorities that callers trust.

use crate::tls::CurrentCertificate;
use k8s_openapi::{ByteString, api::core::v1::Secret, jiff::Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use std::{collections::BTreeMap, time::Duration};
use x509_parser::{certificate::X509Certificate, extensions::GeneralName};

/// Life of a certificate and its authority; renewed when two thirds have passed.
const LIFE: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// How far the clock of the API server may be behind.
const CLOCK_SKEW: Duration = Duration::from_secs(5 * 60);

const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";
const AUTHORITIES: &str = "ca.crt";

/// A certificate with its key and authorities, in PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Bundle {
    /// The certificate.
    pub certificate: Vec<u8>,
    /// Its key.
    pub key: Vec<u8>,
    /// The authority of this certificate, and that of the one before.
    pub authorities: Vec<u8>,
}

impl Bundle {
    /// What a Secret holds, if it has all parts.
    pub fn read(secret: &Secret) -> Option<Self> {
        let data = secret.data.as_ref()?;
        let field = |name: &str| data.get(name).map(|bytes| bytes.0.clone());
        Some(Self { certificate: field(CERTIFICATE)?, key: field(KEY)?, authorities: field(AUTHORITIES)? })
    }

    /// The data of its Secret.
    pub fn data(&self) -> BTreeMap<String, ByteString> {
        let fields = [(CERTIFICATE, &self.certificate), (KEY, &self.key), (AUTHORITIES, &self.authorities)];
        fields.map(|(name, bytes)| (name.to_owned(), ByteString(bytes.clone()))).into()
    }

    /// Whether it can be served under this name, is trusted by its first authority, and not due for renewal.
    pub fn is_good(&self, server_name: &str, now: Timestamp) -> bool {
        let Some(der) = first(&self.certificate) else { return false };
        let Ok((_, certificate)) = x509_parser::parse_x509_certificate(&der) else { return false };
        let names = certificate.subject_alternative_name().ok().flatten();
        let is_named = names.is_some_and(|names| {
            let is_name = |name: &GeneralName<'_>| matches!(name, GeneralName::DNSName(name) if *name == server_name);
            names.value.general_names.iter().any(is_name)
        });
        let validity = certificate.validity();
        let (from, until) = (validity.not_before.timestamp(), validity.not_after.timestamp());
        let renew_at = from + (until - from) * 2 / 3;
        let is_signed = first(&self.authorities).is_some_and(|authority| is_signed_by(&certificate, &authority));
        let is_usable = CurrentCertificate::default().set_pem(&self.certificate, &self.key).is_ok();
        is_named && (from..renew_at).contains(&now.as_second()) && is_signed && is_usable
    }

    /// Whether who trusts these authorities accepts another certificate, by its signature.
    pub fn trusts(&self, other: &Self) -> bool {
        let Some(der) = first(&other.certificate) else { return false };
        let Ok((_, certificate)) = x509_parser::parse_x509_certificate(&der) else { return false };
        let mut authorities = CertificateDer::pem_slice_iter(&self.authorities);
        authorities.any(|authority| authority.is_ok_and(|authority| is_signed_by(&certificate, &authority)))
    }

    /// Issues a certificate, and keeps the authority of the one before it.
    ///
    /// # Errors
    /// When the crypto provider fails.
    pub fn issue(server_name: &str, before: Option<&Self>, now: Timestamp) -> Result<Self, rcgen::Error> {
        let authority = CertifiedIssuer::self_signed(authority(server_name, now)?, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let leaf = leaf(server_name, now)?.signed_by(&key, &authority)?;
        let mut authorities = authority.pem();
        if let Some(former) = before.and_then(Self::newest_authority) {
            authorities.push_str(&former);
        }
        Ok(Self {
            certificate: leaf.pem().into_bytes(),
            key: key.serialize_pem().into_bytes(),
            authorities: authorities.into_bytes(),
        })
    }

    fn newest_authority(&self) -> Option<String> {
        const END: &str = "-----END CERTIFICATE-----";
        let text = std::str::from_utf8(&self.authorities).ok()?;
        Some(format!("{}\n", &text[..text.find(END)? + END.len()]))
    }
}

fn first(pem: &[u8]) -> Option<CertificateDer<'static>> {
    CertificateDer::from_pem_slice(pem).ok()
}

fn is_signed_by(certificate: &X509Certificate<'_>, authority: &CertificateDer<'_>) -> bool {
    let authority = x509_parser::parse_x509_certificate(authority);
    authority.is_ok_and(|(_, authority)| certificate.verify_signature(Some(authority.public_key())).is_ok())
}

fn authority(server_name: &str, now: Timestamp) -> Result<CertificateParams, rcgen::Error> {
    let mut params = valid(CertificateParams::new(Vec::new())?, now);
    // The serial tells two authorities of one name apart.
    params.distinguished_name.push(DnType::CommonName, format!("{server_name} authority {}", now.as_second()));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    Ok(params)
}

fn leaf(server_name: &str, now: Timestamp) -> Result<CertificateParams, rcgen::Error> {
    let mut params = valid(CertificateParams::new(vec![server_name.to_owned()])?, now);
    params.distinguished_name.push(DnType::CommonName, server_name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

fn valid(mut params: CertificateParams, now: Timestamp) -> CertificateParams {
    let date = |seconds: i64| {
        let time = Timestamp::from_second(seconds).unwrap_or(now).to_zoned(k8s_openapi::jiff::tz::TimeZone::UTC);
        rcgen::date_time_ymd(i32::from(time.year()), time.month() as u8, time.day() as u8)
    };
    // Whole days; the day before leaves room for clocks that are behind.
    params.not_before = date(now.as_second() - CLOCK_SKEW.as_secs() as i64);
    params.not_after = date(now.as_second() + LIFE.as_secs() as i64 + 24 * 60 * 60);
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
}

#[cfg(test)]
mod tests;
