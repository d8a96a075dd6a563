//! Joins: from a slice to endpoints, and from an address or a name to a profile.

use super::Cluster;
use crate::{
    core::{
        endpoint::Endpoint,
        filter::{Candidate, PodPlace, Rank},
        key::Key,
        port::TargetPort,
        profile::{EndpointProfile, Profile, ServiceProfile, Source},
        service::{Mirror, Slice, SliceAddress, Target},
        translate::{self, Found, OwnerLabel, Translation},
        workload::{External, Owner, Pod, Stage, same_uid},
    },
    index::refusal::{Conflict, ProfileRefusal},
};
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

/// What a profile is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ProfileTarget {
    /// A Service, by name or by cluster address.
    Service {
        /// The Service.
        service: Key,
        /// Port that was asked for.
        port: u16,
        /// Namespace of the client, empty when unknown: a ServiceProfile there goes first.
        client_namespace: Arc<str>,
    },
    /// An address that was no Service's when it was asked for.
    Address {
        /// The address.
        ip: IpAddr,
        /// Port that was asked for.
        port: u16,
        /// Namespace of the client, for the case that the address becomes a Service's.
        client_namespace: Arc<str>,
    },
    /// The endpoint of a Service that has a hostname.
    Hostname {
        /// The Service.
        service: Key,
        /// The hostname.
        hostname: Arc<str>,
        /// Port that was asked for.
        port: u16,
    },
}

/// The object that an address belongs to.
#[derive(Debug)]
enum Holder<'a> {
    Pod(&'a Pod),
    External(&'a External),
}

impl Cluster {
    /// The endpoints that a slice has for a port; with a hostname, only those that have it.
    pub fn candidates(
        &self,
        slice: &Slice,
        target: &TargetPort,
        requested: u16,
        hostname: Option<&str>,
    ) -> Vec<Candidate> {
        let Some(port) = target.resolve(&slice.ports) else { return Vec::new() };
        let is_wanted = |address: &&SliceAddress| {
            address.is_ready && hostname.is_none_or(|hostname| *address.hostname == *hostname)
        };
        let wanted = slice.addresses.iter().filter(is_wanted);
        wanted.filter_map(|address| self.candidate(address, port, requested, slice.mirror.as_deref())).collect()
    }

    /// Nothing, when the object behind the address is not known (yet).
    fn candidate(
        &self,
        address: &SliceAddress,
        port: u16,
        requested: u16,
        mirror: Option<&Mirror>,
    ) -> Option<Candidate> {
        let found = Found::InSlice { zone: &address.zone };
        let (endpoint, pod, zone, rank) = match &address.target {
            Target::Bare => (self.bare(mirror, requested), None, Arc::default(), Rank::Bare),
            Target::Pod(key, uid) => {
                let pod = self.pod(key, uid)?;
                let rank = match pod.stage {
                    Stage::Waiting | Stage::Running => Rank::Live,
                    Stage::Ending | Stage::Ended => Rank::Ended,
                };
                let place =
                    PodPlace { namespace: key.namespace.clone(), name: key.name.clone(), node: pod.node.clone() };
                (self.translate_pod(pod, port, found).endpoint, Some(place), address.zone.clone(), rank)
            }
            Target::External(key, uid) => {
                let workload = self.external(key, uid)?;
                (self.translate_external(workload, port, found).endpoint, None, address.zone.clone(), Rank::Live)
            }
        };
        let address_ = SocketAddr::new(address.ip, port);
        let hints = address.hints.clone();
        Some(Candidate { address: address_, endpoint: Arc::new(endpoint), pod, zone, hints, rank })
    }

    fn bare(&self, mirror: Option<&Mirror>, requested: u16) -> Endpoint {
        let identity = mirror.map(|mirror| &mirror.gateway_identity).filter(|identity| !identity.is_empty());
        let service = mirror.map(|mirror| &mirror.service).filter(|service| !service.is_empty());
        let authority = service.map(|service| format!("{service}:{requested}").into());
        translate::bare(&self.config, identity, authority)
    }

    fn translate_pod(&self, pod: &Pod, port: u16, found: Found<'_>) -> Translation {
        let mut servers = self.servers.in_namespace(&pod.namespace);
        let by_server = servers.any(|(_, server)| server.covers_pod(pod, port));
        translate::pod(&self.config, pod, self.owner_label(pod), port, by_server, found)
    }

    fn translate_external(&self, workload: &External, port: u16, found: Found<'_>) -> Translation {
        let mut servers = self.servers.in_namespace(&workload.namespace);
        let by_server = servers.any(|(_, server)| server.covers_external(workload, port));
        translate::external(&self.config, workload, port, by_server, found)
    }

    fn owner_label(&self, pod: &Pod) -> OwnerLabel {
        translate::owner_label(pod, |owner: &Owner| {
            let middlemen = if &*owner.kind == "Job" { &self.jobs } else { &self.replica_sets };
            let middleman = middlemen.get(&pod.namespace, &owner.name)?;
            middleman.owner.as_ref().filter(|_| same_uid(&middleman.uid, &owner.uid))
        })
    }

    /// What a request for the profile of an address is about. A Service stays what it is about even when
    /// it is deleted, so that a deletion and the creation after it leave the client where it was.
    ///
    /// # Errors
    /// When several objects have the address.
    pub fn at_address(&self, ip: IpAddr, port: u16, client_namespace: Arc<str>) -> Result<ProfileTarget, Conflict> {
        match self.cluster_ips.at(ip) {
            [service] => Ok(ProfileTarget::Service { service: service.clone(), port, client_namespace }),
            [] => self.holder(ip, port).map(|_| ProfileTarget::Address { ip, port, client_namespace }),
            services => Err(Conflict::ClusterIp { count: services.len(), ip }),
        }
    }

    /// What a request for the profile of a name is about.
    ///
    /// # Errors
    /// When the Service, or the hostname in it, does not exist.
    pub fn at_name(
        &mut self,
        namespace: &str,
        name: &str,
        hostname: Option<&str>,
        port: u16,
        client_namespace: Arc<str>,
    ) -> Result<ProfileTarget, ProfileRefusal> {
        let Some((service, found)) = self.services.get_key_value(namespace, name) else {
            return Err(ProfileRefusal::NoService(self.key(namespace, name)));
        };
        if found.is_external_name {
            return Err(ProfileRefusal::ExternalName(service));
        }
        let Some(hostname) = hostname else {
            return Ok(ProfileTarget::Service { service, port, client_namespace });
        };
        let hostname = self.text(hostname);
        match self.by_hostname(&service, &hostname) {
            Some(_) => Ok(ProfileTarget::Hostname { service, hostname, port }),
            None => Err(ProfileRefusal::NoHostname { service, hostname }),
        }
    }

    /// The profile of a target as it is now; `last` is what it was before.
    pub fn profile(&self, target: &ProfileTarget, last: Option<&Profile>) -> Profile {
        match target {
            ProfileTarget::Service { service, port, client_namespace } => {
                self.service_profile(service, *port, client_namespace)
            }
            ProfileTarget::Address { ip, port, client_namespace } => match self.cluster_ips.at(*ip) {
                [service] => self.service_profile(service, *port, client_namespace),
                _ => {
                    // Of several objects none is known to be the one, so the client is told of none.
                    let holder = self.holder(*ip, *port).unwrap_or_default();
                    Profile::Endpoint(self.endpoint_profile(SocketAddr::new(*ip, *port), holder))
                }
            },
            ProfileTarget::Hostname { service, hostname, port } => {
                let address = match self.by_hostname(service, hostname) {
                    Some((ip, holder)) => {
                        return Profile::Endpoint(self.endpoint_profile(SocketAddr::new(ip, *port), holder));
                    }
                    None => last.and_then(|last| match last {
                        Profile::Endpoint(endpoint) => Some(endpoint.address),
                        Profile::Empty | Profile::Service(_) => None,
                    }),
                };
                let gone = |address| Profile::Endpoint(self.endpoint_profile(address, None));
                address.map_or(Profile::Empty, gone)
            }
        }
    }

    /// While the Service exists, a port that it lacks has an empty profile.
    fn service_profile(&self, key: &Key, port: u16, client_namespace: &Arc<str>) -> Profile {
        let service = self.services.at(key);
        if service.is_some_and(|service| !service.has_port(port)) {
            return Profile::Empty;
        }
        let opaque = service.and_then(|service| service.opaque.as_ref());
        Profile::Service(ServiceProfile {
            namespace: key.namespace.clone(),
            name: key.name.clone(),
            port,
            is_opaque: translate::is_opaque(opaque, &self.config, port),
            source: self.profile_source(key, client_namespace),
        })
    }

    /// The client's own ServiceProfile goes before the Service's.
    fn profile_source(&self, service: &Key, client_namespace: &str) -> Option<Arc<Source>> {
        let name = format!("{}.{}.svc.{}", service.name, service.namespace, self.config.cluster_domain);
        let own = self.profiles.get(client_namespace, &name);
        own.or_else(|| self.profiles.get(&service.namespace, &name)).cloned()
    }

    fn endpoint_profile(&self, address: SocketAddr, holder: Option<Holder<'_>>) -> EndpointProfile {
        let port = address.port();
        let translation = match holder {
            Some(Holder::Pod(pod)) if matches!(pod.stage, Stage::Running | Stage::Ending) => {
                self.translate_pod(pod, port, Found::ByAddress)
            }
            Some(Holder::External(workload)) => self.translate_external(workload, port, Found::ByAddress),
            Some(Holder::Pod(_)) | None => Translation {
                endpoint: translate::bare(&self.config, None, None),
                is_opaque: translate::is_opaque(None, &self.config, port),
            },
        };
        EndpointProfile { address, endpoint: translation.endpoint, is_opaque: translation.is_opaque }
    }

    /// The object that an address belongs to: a pod with the address, else a pod behind a port of its
    /// node, else an external workload.
    fn holder(&self, ip: IpAddr, port: u16) -> Result<Option<Holder<'_>>, Conflict> {
        let pods = self.pod_ips.at(ip).iter().filter_map(|key| self.pods.at(key));
        if let Some(pod) = only_live(pods).map_err(|count| Conflict::PodIp { count, ip })? {
            return Ok(Some(Holder::Pod(pod)));
        }
        let hosted = self.host_ips.at(ip).iter().filter_map(|key| self.pods.at(key));
        let hosted = hosted.filter(|pod| pod.serves_host_port(port));
        if let Some(pod) = only_live(hosted).map_err(|count| Conflict::HostPort { count, ip, port })? {
            return Ok(Some(Holder::Pod(pod)));
        }
        let workloads = self.external_ips.at(ip).iter().filter_map(|key| self.externals.at(key));
        let workloads: Vec<&External> =
            workloads.filter(|workload| workload.ports.iter().any(|known| known.port == port)).collect();
        match workloads[..] {
            [] => Ok(None),
            [workload] => Ok(Some(Holder::External(workload))),
            _ => Err(Conflict::External { count: workloads.len(), ip, port }),
        }
    }

    /// The first endpoint with a hostname, ready or not: pods go before others.
    fn by_hostname(&self, service: &Key, hostname: &str) -> Option<(IpAddr, Option<Holder<'_>>)> {
        let named = || {
            let addresses = self.slices(service).flat_map(|(_, slice)| &slice.addresses);
            addresses.filter(|address| *address.hostname == *hostname && !hostname.is_empty())
        };
        let pod = |address: &SliceAddress| match &address.target {
            Target::Pod(key, uid) => self.pod(key, uid),
            Target::Bare | Target::External(..) => None,
        };
        let mut pods = named().filter_map(pod);
        if let Some((pod, ip)) = pods.find_map(|pod| Some((pod, *pod.ips.first()?))) {
            return Some((ip, Some(Holder::Pod(pod))));
        }
        named().find_map(|address| match &address.target {
            Target::Pod(..) => None,
            Target::Bare => Some((address.ip, None)),
            Target::External(key, uid) => Some((address.ip, self.external(key, uid).map(Holder::External))),
        })
    }
}

/// The one pod that has an address, or how many have it. A pod that is asked to end has it as long as it
/// runs and no other pod came: its clients go on to talk to it as they did.
fn only_live<'a>(pods: impl Iterator<Item = &'a Pod>) -> Result<Option<&'a Pod>, usize> {
    let (mut live, mut ending) = (Vec::new(), Vec::new());
    for pod in pods {
        match pod.stage {
            Stage::Waiting | Stage::Running => live.push(pod),
            Stage::Ending => ending.push(pod),
            Stage::Ended => {}
        }
    }
    match (&live[..], &ending[..]) {
        ([pod], _) | ([], [pod]) => Ok(Some(pod)),
        ([], _) => Ok(None),
        (several, _) => Err(several.len()),
    }
}
