//! The key of a workload and the request for its certificate.

use crate::settings::Name;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, SanType};

/// The cryptography library refused; not caused by any setting.
#[derive(Debug, thiserror::Error)]
#[error("failed to make {what} for {name}: {source}; restart the container")]
pub struct Error {
    what: &'static str,
    name: String,
    #[source]
    source: rcgen::Error,
}

/// A new key and the request that it signed.
pub struct Request {
    key: KeyPair,
    csr: Vec<u8>,
}

impl Request {
    /// The private key, PKCS#8 in DER.
    pub fn key(&self) -> &[u8] {
        self.key.serialized_der()
    }

    /// The request, PKCS#10 in DER.
    pub fn csr(&self) -> &[u8] {
        &self.csr
    }
}

/// A new P-256 key, and a request signed by it with SHA-256, whose common name and only subject
/// alternative name are `name`.
///
/// # Errors
/// When the system has no randomness to give.
pub fn new(name: &Name) -> Result<Request, Error> {
    let error = |what| move |source| Error { what, name: name.to_string(), source };
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(error("a key"))?;
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, name.as_str());
    let san = name.as_str().try_into().map_err(error("a certificate request"))?;
    parameters.subject_alt_names = vec![SanType::DnsName(san)];
    let csr = parameters.serialize_request(&key).map_err(error("a certificate request"))?.der().to_vec();
    Ok(Request { key, csr })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls_pki_types::PrivatePkcs8KeyDer;
    use x509_parser::prelude::*;

    // identity.md case 40; and the shape that the identity service demands, steps 5 to 10 and 13.
    #[test]
    fn the_request_has_one_dns_name_equal_to_its_common_name_and_is_signed_by_its_key() {
        // More than the 64 octets that X.520 allows a common name: usual for workloads.
        let account = "a".repeat(60);
        let text = format!("{account}.{account}.serviceaccount.identity.linkerd.cluster.local");
        let request = new(&text.parse().unwrap()).unwrap();

        let (rest, csr) = X509CertificationRequest::from_der(request.csr()).unwrap();
        assert!(rest.is_empty());
        csr.verify_signature().unwrap();
        let info = &csr.certification_request_info;
        assert_eq!(info.subject.to_string(), format!("CN={text}"));
        let extensions: Vec<_> = csr.requested_extensions().unwrap().collect();
        let [ParsedExtension::SubjectAlternativeName(names)] = extensions.as_slice() else {
            panic!("one extension, of subject alternative names: {extensions:?}");
        };
        assert_eq!(names.general_names, [GeneralName::DNSName(&text)]);

        let key =
            KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(request.key()), &PKCS_ECDSA_P256_SHA256)
                .unwrap();
        assert_eq!(info.subject_pki.subject_public_key.data.as_ref(), key.public_key_raw());
    }

    #[test]
    fn every_request_has_a_key_of_its_own() {
        let name: Name = "web.default".parse().unwrap();
        assert_ne!(new(&name).unwrap().key(), new(&name).unwrap().key());
    }
}
