//! Certificate signing requests (PKCS #10, RFC 2986) and the rules for them.

use super::{algorithm::KeyAlgorithm, leaf::P256Point};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use x509_parser::{
    certification_request::X509CertificationRequest,
    cri_attributes::ParsedCriAttribute,
    extensions::{GeneralName, ParsedExtension},
    oid_registry::OID_SIG_ECDSA_WITH_SHA256,
    prelude::FromDer,
    x509::X509Name,
};

/// A request that was read.
pub struct Csr<'a> {
    request: X509CertificationRequest<'a>,
}

/// A request whose shape is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Whether the subject names the identity; else it is empty.
    pub has_common_name: bool,
    /// The public key, if certificates are issued for its algorithm.
    pub public_key: Result<P256Point, UnfitKey>,
}

/// A text that is no signing request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CsrError {
    /// No PKCS #10 in DER.
    #[error("cannot parse the certificate signing request: {0}; it must be PKCS#10 in DER")]
    Malformed(String),
    /// Something after its end.
    #[error("cannot parse the certificate signing request: trailing bytes")]
    TrailingBytes,
    /// An extension that cannot be read.
    #[error("cannot parse the certificate signing request: a requested extension is malformed")]
    Extension,
}

/// Why the shape of a request is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// None, or several.
    #[error("CSR must have exactly one DNSName")]
    DnsNames,
    /// A name that was not asked for.
    #[error("CSR name does not match requested identity: csr={csr}; req={requested}")]
    Name {
        /// The name in the request.
        csr: String,
        /// The identity that was asked for.
        requested: String,
    },
    /// A subject that names something else.
    #[error("invalid CommonName: {0}")]
    CommonName(String),
    /// Alternative names that cannot be validated.
    #[error("cannot validate {0}")]
    Unvalidated(&'static str),
    /// Whoever sent it does not hold the key.
    #[error("CSR is not signed with its own key")]
    Signature,
}

/// A key that no certificate is issued for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("CSR must contain an ECDSA public key: only P-256 is certified, instead {0} was used")]
pub struct UnfitKey(pub KeyAlgorithm);

impl<'a> Csr<'a> {
    /// Reads a request in DER.
    ///
    /// # Errors
    /// When it is malformed or something follows it.
    pub fn parse(der: &'a [u8]) -> Result<Self, CsrError> {
        let (rest, request) =
            X509CertificationRequest::from_der(der).map_err(|error| CsrError::Malformed(error.to_string()))?;
        if !rest.is_empty() {
            return Err(CsrError::TrailingBytes);
        }
        let csr = Self { request };
        let malformed = |extension: &ParsedExtension<'_>| matches!(extension, ParsedExtension::ParseError { .. });
        if csr.extensions().any(malformed) { Err(CsrError::Extension) } else { Ok(csr) }
    }

    /// Checks everything that can be said of the request itself.
    ///
    /// # Errors
    /// The first rule that it breaks. A key of another algorithm is reported later, see [`Checked`].
    pub fn check(&self, identity: &str) -> Result<Checked, ShapeError> {
        let names: Vec<&GeneralName<'_>> = self.names().collect();
        let mut dns_names = names.iter().filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(*name),
            _ => None,
        });
        let (Some(name), None) = (dns_names.next(), dns_names.next()) else {
            return Err(ShapeError::DnsNames);
        };
        if name != identity {
            return Err(ShapeError::Name { csr: name.to_owned(), requested: identity.to_owned() });
        }
        let common_name = common_name(&self.request.certification_request_info.subject)?;
        if !common_name.is_empty() && common_name != identity {
            return Err(ShapeError::CommonName(common_name));
        }
        for kind in ["email addresses", "IP addresses", "URIs", OTHER_NAMES] {
            if names.iter().any(|name| unvalidated(name) == Some(kind)) {
                return Err(ShapeError::Unvalidated(kind));
            }
        }
        let public_key = self.public_key();
        if let Ok(public_key) = &public_key
            && !self.is_signed_with(public_key)
        {
            return Err(ShapeError::Signature);
        }
        Ok(Checked { has_common_name: !common_name.is_empty(), public_key })
    }

    fn extensions(&self) -> impl Iterator<Item = &ParsedExtension<'_>> {
        let attributes = self.request.certification_request_info.iter_attributes();
        let requests = attributes.filter_map(|attribute| match attribute.parsed_attribute() {
            ParsedCriAttribute::ExtensionRequest(request) => Some(request),
            _ => None,
        });
        requests.flat_map(move |request| request.extensions.iter().map(|extension| extension.parsed_extension()))
    }

    fn names(&self) -> impl Iterator<Item = &GeneralName<'_>> {
        let lists = self.extensions().filter_map(|extension| match extension {
            ParsedExtension::SubjectAlternativeName(names) => Some(&names.general_names),
            _ => None,
        });
        lists.flatten()
    }

    fn public_key(&self) -> Result<P256Point, UnfitKey> {
        let key = &self.request.certification_request_info.subject_pki;
        let algorithm = KeyAlgorithm::of(key);
        if algorithm != KeyAlgorithm::P256 {
            return Err(UnfitKey(algorithm));
        }
        let compressed = || UnfitKey(KeyAlgorithm::Other("a compressed point".to_owned()));
        key.subject_public_key.data.as_ref().try_into().map_err(|_| compressed())
    }

    /// Whether the sender holds the key. This also shows that the point lies on the curve.
    fn is_signed_with(&self, public_key: &P256Point) -> bool {
        let is_sha256 = self.request.signature_algorithm.algorithm == OID_SIG_ECDSA_WITH_SHA256;
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, public_key);
        let signed = self.request.certification_request_info.raw;
        is_sha256 && key.verify(signed, &self.request.signature_value.data).is_ok()
    }
}

const OTHER_NAMES: &str = "names other than DNS names";

fn unvalidated(name: &GeneralName<'_>) -> Option<&'static str> {
    match name {
        GeneralName::DNSName(_) => None,
        GeneralName::RFC822Name(_) => Some("email addresses"),
        GeneralName::IPAddress(_) => Some("IP addresses"),
        GeneralName::URI(_) => Some("URIs"),
        GeneralName::OtherName(..)
        | GeneralName::X400Address(_)
        | GeneralName::DirectoryName(_)
        | GeneralName::EDIPartyName(_)
        | GeneralName::RegisteredID(_)
        | GeneralName::Invalid(..) => Some(OTHER_NAMES),
    }
}

/// The common name, empty if there is none.
fn common_name(subject: &X509Name<'_>) -> Result<String, ShapeError> {
    let mut found: Option<String> = None;
    for attribute in subject.iter_common_name() {
        let name = attribute.as_str().map_err(|_| ShapeError::CommonName("not a text".to_owned()))?;
        if found.replace(name.to_owned()).is_some() {
            return Err(ShapeError::CommonName("several".to_owned()));
        }
    }
    Ok(found.unwrap_or_default())
}

#[cfg(test)]
mod tests;
