//! Answers of a control plane.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use linkerd_proto::destination::{
    AddrSet, DestinationProfile, TlsIdentity, Update, WeightedAddr, WeightedAddrSet, tls_identity, update,
};
use linkerd_proto::identity::{CertifyRequest, CertifyResponse};
use linkerd_proto::meta::{Metadata, Resource, metadata};
use linkerd_proto::net::TcpAddress;
use linkerd_proto::outbound::backend::{self, BalanceP2c, EndpointDiscovery, endpoint_discovery};
use linkerd_proto::outbound::opaque_route::{self, Distribution, RouteBackend, Rule, distribution};
use linkerd_proto::outbound::{Backend, OpaqueRoute, OutboundPolicy, ProxyProtocol, Queue, proxy_protocol};
use linkerd_proto::{Timestamp, inbound};
use linkerd_tests::authority;
use rcgen::{
    CertificateParams, CertificateSigningRequestParams, ExtendedKeyUsagePurpose, KeyPair, PKCS_ECDSA_P256_SHA256,
};
use rustls::pki_types::CertificateDer;
use tonic::Status;

/// Answers requests for certificates.
pub struct Authority(authority::Authority);

impl Authority {
    pub fn make() -> Result<Self> {
        authority::Authority::make().map(Self)
    }

    pub fn anchors(&self) -> Vec<CertificateDer<'static>> {
        vec![self.0.anchor()]
    }

    pub fn anchors_pem(&self) -> String {
        self.0.root.pem()
    }

    /// Certifies a request for some time; the leaf itself is valid for long.
    pub fn certify(&self, request: &CertifyRequest, valid: Duration) -> Result<CertifyResponse, Status> {
        self.certify_as(request, &request.identity, SystemTime::now() + valid)
    }

    /// Certifies another name than the request has.
    pub fn certify_as(
        &self,
        request: &CertifyRequest,
        name: &str,
        until: SystemTime,
    ) -> Result<CertifyResponse, Status> {
        let internal = |error: rcgen::Error| Status::internal(error.to_string());
        let der = request.certificate_signing_request.as_slice().into();
        let mut csr = CertificateSigningRequestParams::from_der(&der).map_err(internal)?;
        csr.params.subject_alt_names = leaf(name).map_err(internal)?.subject_alt_names;
        csr.params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = csr.signed_by(&self.0.issuer).map_err(internal)?;
        Ok(self.response(certificate.der().to_vec(), until))
    }

    fn response(&self, leaf_certificate: Vec<u8>, until: SystemTime) -> CertifyResponse {
        let since = until.duration_since(UNIX_EPOCH).unwrap_or_default();
        let valid_until =
            Timestamp { seconds: since.as_secs().cast_signed(), nanos: since.subsec_nanos().cast_signed() };
        CertifyResponse {
            leaf_certificate,
            intermediate_certificates: vec![self.0.issuer.der().to_vec()],
            valid_until: Some(valid_until),
        }
    }

    /// Chain and key of a server.
    pub fn server(&self, name: &str) -> Result<(Vec<CertificateDer<'static>>, KeyPair)> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let certificate = leaf(name)?.signed_by(&key, &self.0.issuer)?;
        Ok((vec![certificate.der().clone(), self.0.issuer.der().clone()], key))
    }
}

fn leaf(name: &str) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(vec![name.to_owned()])?;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    Ok(params)
}

/// An address of a pod.
pub fn pod(last: u8) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::new(10, 0, 0, last), 8080))
}

fn address(last: u8) -> TcpAddress {
    TcpAddress { ip: Some(IpAddr::from([10, 0, 0, last]).into()), port: 8080 }
}

/// An endpoint with an identity.
pub fn endpoint(last: u8) -> WeightedAddr {
    let name = format!("sa-{last}.ns.serviceaccount.identity.linkerd.cluster.local");
    let strategy = tls_identity::Strategy::DnsLikeIdentity(tls_identity::DnsLikeIdentity { name });
    let tls_identity = Some(TlsIdentity { strategy: Some(strategy), server_name: None });
    WeightedAddr { addr: Some(address(last)), weight: 10_000, tls_identity, ..WeightedAddr::default() }
}

/// Endpoints are added.
pub fn add(lasts: &[u8]) -> Update {
    let addrs = lasts.iter().copied().map(endpoint).collect();
    Update { update: Some(update::Update::Add(WeightedAddrSet { addrs, ..WeightedAddrSet::default() })) }
}

/// An endpoint is removed.
pub fn remove(last: u8) -> Update {
    Update { update: Some(update::Update::Remove(AddrSet { addrs: vec![address(last)] })) }
}

/// Metadata of a default.
pub fn default_metadata() -> Option<Metadata> {
    Some(Metadata { kind: Some(metadata::Kind::Default("default".to_owned())) })
}

/// The policy of a port.
pub fn server(name: &str) -> inbound::Server {
    let kind = inbound::proxy_protocol::Kind::Opaque(inbound::proxy_protocol::Opaque {});
    let labels = [("name".to_owned(), name.to_owned())].into();
    let protocol = Some(inbound::ProxyProtocol { kind: Some(kind) });
    inbound::Server { protocol, labels, ..inbound::Server::default() }
}

/// A policy that balances over the endpoints of `path`.
pub fn balanced(path: &str) -> OutboundPolicy {
    let group = "core".to_owned();
    let service = Resource { group, kind: "Service".to_owned(), name: "web".to_owned(), ..Resource::default() };
    let get = endpoint_discovery::DestinationGet { path: path.to_owned() };
    let discovery = EndpointDiscovery { kind: Some(endpoint_discovery::Kind::Dst(get)) };
    let balancer = BalanceP2c { discovery: Some(discovery), load: None };
    policy(Backend {
        metadata: Some(Metadata { kind: Some(metadata::Kind::Resource(service)) }),
        queue: Some(Queue::default()),
        kind: Some(backend::Kind::Balancer(balancer)),
    })
}

/// A policy with one backend.
pub fn policy(backend: Backend) -> OutboundPolicy {
    let backends = vec![RouteBackend { backend: Some(backend), filters: Vec::new() }];
    let first = distribution::Kind::FirstAvailable(distribution::FirstAvailable { backends });
    let rule = Rule { backends: Some(Distribution { kind: Some(first) }), ..opaque_route::Rule::default() };
    let route = OpaqueRoute { metadata: default_metadata(), rules: vec![rule] };
    let kind = proxy_protocol::Kind::Opaque(proxy_protocol::Opaque { routes: vec![route] });
    OutboundPolicy { protocol: Some(ProxyProtocol { kind: Some(kind) }), metadata: default_metadata() }
}

/// The profile of a pod.
pub fn endpoint_profile(last: u8) -> DestinationProfile {
    DestinationProfile { endpoint: Some(endpoint(last)), ..DestinationProfile::default() }
}
