//! The webhooks of the control plane, served on loopback, where a test's API server can call them.

use anyhow::{Context as _, Result};
use linkerd_controller::{
    args::ListenAddr,
    listen::Listener,
    tasks::Tasks,
    tls::CurrentCertificate,
    webhook::{Admission, AdmissionRequest, Fault, Verdict, router},
};
use linkerd_injector::core::{
    config::{Config, Namespace},
    inject::{Action, mutate},
    owner::Owner,
    trust::TrustAnchors,
    values::Values,
};
use linkerd_sp_validator::webhook::Validator;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::{net::SocketAddr, sync::Arc};

/// A certificate that is good for both Services, and for loopback.
pub struct Certificate {
    pub authority: String,
    pub certificate: String,
    pub key: String,
}

impl Certificate {
    pub fn make() -> Result<Self> {
        let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
        let valid = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let mut params = CertificateParams::new(names)?;
            params.not_before = rcgen::date_time_ymd(today.year().into(), today.month() as u8, today.day() as u8);
            params.not_after = rcgen::date_time_ymd(i32::from(today.year()) + 1, 1, 28);
            anyhow::Ok(params)
        };
        let mut authority = valid(&[])?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
        let names = ["linkerd-proxy-injector.linkerd.svc", "linkerd-sp-validator.linkerd.svc", "127.0.0.1"];
        let key = KeyPair::generate()?;
        let certificate = valid(&names)?.signed_by(&key, &authority)?;
        Ok(Self { authority: authority.pem(), certificate: certificate.pem(), key: key.serialize_pem() })
    }
}

/// Servers of webhooks, which stop with the value.
pub struct Webhooks {
    tasks: Tasks,
    pub injector: SocketAddr,
    pub validator: SocketAddr,
}

impl Webhooks {
    /// Serves the very decisions of the control plane, with its configuration.
    pub fn serve(certificate: &Certificate, values: &str, anchors: &str) -> Result<Self> {
        let (tasks, _) = Tasks::new();
        let config = Config::new(Values::from_yaml(values)?, "linkerd", TrustAnchors::parse(anchors)?)?;
        Ok(Self {
            injector: serve(&tasks, certificate, Injector(config))?,
            validator: serve(&tasks, certificate, Validator::default())?,
            tasks,
        })
    }
}

/// What the injector decides, without the lookups that its process makes.
struct Injector(Config);

impl Admission for Injector {
    async fn review(&self, request: AdmissionRequest) -> Result<Verdict, Fault> {
        let namespace = Namespace { name: request.namespace, ..Namespace::default() };
        let owner = Owner { kind: request.kind.kind.to_lowercase(), name: request.name };
        let mutation = mutate(&self.0, &namespace, &owner, &request.kind.kind, &request.object);
        Ok(match mutation.map_err(|error| Fault(error.to_string()))?.action {
            Action::Inject(patch) | Action::Annotate(patch, _) => {
                Verdict { patch: Some(patch.to_json()), ..Verdict::allow() }
            }
            Action::Skip(_) => Verdict::allow(),
            Action::Reject(rejection) => Verdict::deny(rejection.to_string()),
        })
    }
}

impl Drop for Webhooks {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

fn serve(tasks: &Tasks, certificate: &Certificate, admission: impl Admission) -> Result<SocketAddr> {
    let current = CurrentCertificate::default();
    current.set_pem(certificate.certificate.as_bytes(), certificate.key.as_bytes()).context("the certificate")?;
    let listener = Listener::bind(ListenAddr::loopback(0))?.with_tls(current.server_config(&["h2", "http/1.1"])?);
    let address = listener.local_addr()?;
    tasks.spawn_draining("webhook", listener.serve(router(Arc::new(admission)), tasks.shutdown().clone()));
    Ok(address)
}
