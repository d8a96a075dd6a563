//! Clients of `GetProfile`, and what they are to be told, computed without regard to what it costs.

use super::{
    super::world::{DOMAIN, ProfileClient, World},
    event::Bits,
    objects::NAMESPACES,
    oracle::{Summary, is_annotated},
    told::Told,
};
use crate::core::{
    endpoint::Locality,
    profile::{EndpointProfile, Profile},
};
use linkerd_k8s::{ObjectId, Pod, names::annotation, pod::Phase};
use std::net::{IpAddr, SocketAddr};

/// What a profile is asked of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    Address(IpAddr),
    Service { ns: usize, service: u8, client: Option<usize> },
    Hostname { ns: usize, service: u8 },
}

/// What a test looks at of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Empty,
    Service { ns: String, name: String, opaque: bool, source: Option<(String, String)> },
    Endpoint { address: SocketAddr, summary: Summary, opaque: bool },
}

/// A client, and what it was told last.
pub struct Watcher {
    subject: Subject,
    port: u16,
    client: ProfileClient,
    last: Option<Seen>,
}

impl Watcher {
    /// Begins to watch something; fails where a refusal is wrong, or the lack of one.
    pub fn join(world: &World, told: &Told, mut bits: Bits) -> Result<Option<Self>, String> {
        let (kind, ns, service) = (bits.take(2), bits.take(1), bits.take(1));
        let (mut port, mut client_namespace) = (80, "");
        let subject = match kind {
            0 | 1 => {
                let ip = bits.take(2);
                port = [8080, 8081, 80, 8080][bits.take(2)];
                let ip = if bits.one_in(2) { format!("fd00::{ip}") } else { format!("10.0.0.{ip}") };
                Subject::Address(ip.parse().unwrap())
            }
            2 => {
                let client = [None, Some(0), Some(1), None][bits.take(2)];
                client_namespace = client.map_or("", |client: usize| NAMESPACES[client]);
                Subject::Service { ns, service: service as u8, client }
            }
            _ => Subject::Hostname { ns, service: service as u8 },
        };
        let name = match &subject {
            Subject::Address(ip) => ip.to_string(),
            Subject::Service { ns, service, .. } => format!("svc-{service}.{}", NAMESPACES[*ns]),
            Subject::Hostname { ns, service } => format!("h-0.svc-{service}.{}", NAMESPACES[*ns]),
        };
        let subject = told.resolved(subject);
        let expected = told.profile(&subject, port, None);
        match (world.try_profile(&name, port, client_namespace), expected) {
            (Ok(client), Ok(_)) => Ok(Some(Self { subject, port, client, last: None })),
            (Err(_), Err(())) => Ok(None),
            (Ok(_), Err(())) => Err(format!("a profile of {name} is not refused")),
            (Err(refusal), Ok(expected)) => Err(format!("{expected:?} is refused: {refusal}")),
        }
    }

    /// Reads what was sent since: what is true if that is new, else nothing.
    pub fn check(&mut self, told: &Told) -> Result<(), String> {
        let expected = told.profile(&self.subject, self.port, self.last.as_ref());
        let expected = expected.unwrap_or_else(|()| self.nothing());
        let sent = self.client.read().map(|profile| seen(&profile)).transpose()?;
        // What changed and changed back in one event is not written to a stream.
        let sent = sent.filter(|sent| self.last.as_ref() != Some(sent));
        let is_news = self.last.as_ref() != Some(&expected);
        if sent.as_ref() != Some(&expected).filter(|_| is_news) {
            let Self { subject, port, last, .. } = self;
            return Err(format!("{subject:?}:{port} was sent {sent:?} after {last:?}, and is {expected:?}"));
        }
        self.last = Some(expected);
        Ok(())
    }

    /// What an open stream is told where a new one is refused.
    fn nothing(&self) -> Seen {
        match (&self.subject, &self.last) {
            (Subject::Address(ip), _) => bare(SocketAddr::new(*ip, self.port)),
            (Subject::Hostname { .. }, Some(Seen::Endpoint { address, .. })) => bare(*address),
            _ => Seen::Empty,
        }
    }
}

fn bare(address: SocketAddr) -> Seen {
    Seen::Endpoint { address, summary: Summary::NOTHING, opaque: is_annotated(None, address.port()) }
}

fn seen(profile: &Profile) -> Result<Seen, String> {
    Ok(match profile {
        Profile::Empty => Seen::Empty,
        Profile::Service(profile) => {
            let route = |source: &crate::core::profile::Source| {
                (source.namespace.to_string(), source.spec.routes[0].name.clone())
            };
            let (ns, name) = (profile.namespace.to_string(), profile.name.to_string());
            let source = profile.source.as_deref().map(route);
            Seen::Service { ns, name, opaque: profile.is_opaque, source }
        }
        Profile::Endpoint(EndpointProfile { address, endpoint, is_opaque }) => {
            let summary = Summary::of_endpoint(endpoint, Locality::Unknown, &NAMESPACES)?;
            Seen::Endpoint { address: *address, summary, opaque: *is_opaque }
        }
    })
}

impl Told {
    /// What a request is about: an address that is one Service's is that Service from then on.
    fn resolved(&self, subject: Subject) -> Subject {
        let Subject::Address(ip) = subject else { return subject };
        match self.services_at(ip)[..] {
            [(ns, service)] => Subject::Service { ns, service, client: None },
            _ => subject,
        }
    }

    fn services_at(&self, ip: IpAddr) -> Vec<(usize, u8)> {
        let has = self.services.iter().filter(|(_, service)| service.cluster_ips().any(|known| known == ip));
        has.map(|(id, _)| (usize::from(id.namespace == "b"), id.name.bytes().last().unwrap() - b'0')).collect()
    }

    /// What a client is to be told, or that it is to be refused.
    fn profile(&self, subject: &Subject, port: u16, last: Option<&Seen>) -> Result<Seen, ()> {
        match subject {
            Subject::Service { ns, service, client } => {
                let name = format!("svc-{service}");
                let is_there = self.services.contains_key(&ObjectId::new(NAMESPACES[*ns], &*name));
                if is_there || last.is_some() { Ok(self.service_profile(*ns, &name, port, *client)) } else { Err(()) }
            }
            Subject::Address(ip) => match self.services_at(*ip)[..] {
                [(ns, service)] => Ok(self.service_profile(ns, &format!("svc-{service}"), port, None)),
                // An open stream goes on.
                [_, _, ..] if last.is_none() => Err(()),
                _ => self.endpoint_profile(SocketAddr::new(*ip, port)),
            },
            Subject::Hostname { ns, service } => {
                let name = format!("svc-{service}");
                // Slices may outlive their Service, and an open stream follows them.
                let is_there = self.services.contains_key(&ObjectId::new(NAMESPACES[*ns], &*name));
                if is_there || last.is_some() { self.hostname_profile(*ns, &name, port) } else { Err(()) }
            }
        }
    }

    fn service_profile(&self, ns: usize, name: &str, port: u16, client: Option<usize>) -> Seen {
        let service = self.services.get(&ObjectId::new(NAMESPACES[ns], name));
        if service.is_some_and(|service| !service.spec.ports.iter().any(|listed| listed.port == port)) {
            return Seen::Empty;
        }
        let annotation = service.and_then(|service| service.metadata.annotation(annotation::OPAQUE_PORTS));
        // The only annotation is a name, of port 80.
        let opaque = if annotation.is_some() { port == 80 } else { is_annotated(None, port) };
        let profile = |namespace: usize| {
            let name = format!("{name}.{}.svc.{DOMAIN}", NAMESPACES[ns]);
            self.profiles.get(&ObjectId::new(NAMESPACES[namespace], name))
        };
        let source = client.and_then(profile).or_else(|| profile(ns));
        let source = source.map(|profile| (profile.metadata.namespace.clone(), profile.spec.routes[0].name.clone()));
        Seen::Service { ns: NAMESPACES[ns].to_owned(), name: name.to_owned(), opaque, source }
    }

    fn endpoint_profile(&self, address: SocketAddr) -> Result<Seen, ()> {
        let (ip, port) = (address.ip(), address.port());
        let own = self.pods.values().filter(|pod| !pod.spec.host_network && pod.ips().any(|own| own == ip));
        if let Some(pod) = only(own.collect())? {
            return Ok(self.pod_profile(pod, address));
        }
        let serves = |pod: &&Pod| {
            let mut ports = pod.spec.containers.iter().flat_map(|container| &container.ports);
            ports.any(|declared| {
                declared.host_port == port || (pod.spec.host_network && declared.container_port == port)
            })
        };
        let hosted = self.pods.values().filter(|pod| pod.host_ips().any(|host| host == ip)).filter(serves);
        if let Some(pod) = only(hosted.collect())? {
            return Ok(self.pod_profile(pod, address));
        }
        let has = |workload: &&linkerd_k8s::ExternalWorkload| {
            workload.ips().any(|own| own == ip) && workload.spec.ports.iter().any(|declared| declared.port == port)
        };
        let workloads: Vec<_> = self.externals.values().filter(has).collect();
        match workloads[..] {
            [] => Ok(bare(address)),
            [workload] => {
                let (summary, opaque) = (self.of_external(workload, port), self.is_opaque_external(workload, port));
                Ok(Seen::Endpoint { address, summary, opaque })
            }
            _ => Err(()),
        }
    }

    fn pod_profile(&self, pod: &Pod, address: SocketAddr) -> Seen {
        if pod.status.phase != Phase::Running {
            return bare(address);
        }
        let port = address.port();
        Seen::Endpoint { address, summary: self.of_pod(pod, port), opaque: self.is_opaque_pod(pod, port) }
    }

    fn hostname_profile(&self, ns: usize, service: &str, port: u16) -> Result<Seen, ()> {
        let endpoints = self.endpoints_named(ns, service);
        for endpoint in &endpoints {
            let target = endpoint.target_ref.as_ref().filter(|target| target.kind == "Pod");
            let Some(target) = target else { continue };
            let Some(pod) = self.pods.get(&ObjectId::new(&*target.namespace, &*target.name)) else { continue };
            let uid = &pod.metadata.uid;
            if *uid == target.uid || uid.is_empty() || target.uid.is_empty() {
                let ip = pod.ips().next().unwrap();
                let has_ended = pod.status.phase != Phase::Running;
                let address = SocketAddr::new(ip, port);
                return Ok(if has_ended { bare(address) } else { self.pod_profile(pod, address) });
            }
        }
        for endpoint in &endpoints {
            let address = SocketAddr::new(endpoint.addresses[0].parse().unwrap(), port);
            match &endpoint.target_ref {
                None => return Ok(bare(address)),
                Some(target) if target.kind == "ExternalWorkload" => {
                    let workload = self.externals.get(&ObjectId::new(&*target.namespace, &*target.name));
                    return Ok(workload.map_or_else(
                        || bare(address),
                        |workload| {
                            let (summary, opaque) =
                                (self.of_external(workload, port), self.is_opaque_external(workload, port));
                            Seen::Endpoint { address, summary, opaque }
                        },
                    ));
                }
                Some(_) => {}
            }
        }
        Err(())
    }

    fn endpoints_named(&self, ns: usize, service: &str) -> Vec<&linkerd_k8s::endpoint_slice::Endpoint> {
        let slices = self.slices.values().filter(|slice| slice.metadata.namespace == NAMESPACES[ns]);
        let slices = slices.filter(|slice| slice.service_name() == Some(service));
        let slices = slices.filter(|slice| slice.address_type != linkerd_k8s::endpoint_slice::AddressType::Fqdn);
        slices.flat_map(|slice| &slice.endpoints).filter(|endpoint| endpoint.hostname == "h-0").collect()
    }
}

/// The one pod of several that has their address; refused when that cannot be said.
fn only(pods: Vec<&Pod>) -> Result<Option<&Pod>, ()> {
    let is_asked = |pod: &&&Pod| pod.metadata.deletion_timestamp.is_some();
    let live: Vec<_> = pods.iter().filter(|pod| !is_asked(pod) && pod.status.phase != Phase::Failed).collect();
    let ending: Vec<_> = pods.iter().filter(|pod| is_asked(pod) && pod.status.phase == Phase::Running).collect();
    match (&live[..], &ending[..]) {
        ([pod], _) | ([], [pod]) => Ok(Some(pod)),
        ([], _) => Ok(None),
        _ => Err(()),
    }
}
