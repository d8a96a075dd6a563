//! Who watches what.

use super::{
    Index,
    cluster::ProfileTarget,
    dirty::Dirty,
    refusal::{EndpointsRefusal, ProfileRefusal},
    snapshot::{ProfileSnapshot, Snapshot},
    views::{Holder, Seat, ViewKey},
};
use crate::core::service::Discovery;
use std::{net::IpAddr, sync::Arc};
use tokio::sync::watch;

/// Which endpoints are wanted.
#[derive(Clone, Copy, Debug)]
pub struct EndpointsRequest<'a> {
    /// Namespace of the Service.
    pub namespace: &'a str,
    /// Name of the Service.
    pub name: &'a str,
    /// Hostname of the only endpoint that is wanted.
    pub hostname: Option<&'a str>,
    /// Port of the Service.
    pub port: u16,
    /// Node of the client, empty when unknown.
    pub node: &'a str,
}

/// Which profile is wanted.
#[derive(Clone, Copy, Debug)]
pub struct ProfileRequest<'a> {
    /// What it is about.
    pub subject: ProfileSubject<'a>,
    /// Port that the client connects to.
    pub port: u16,
    /// Namespace of the client, empty when unknown.
    pub client_namespace: &'a str,
}

/// What a profile is asked of.
#[derive(Clone, Copy, Debug)]
pub enum ProfileSubject<'a> {
    /// An address.
    Ip(IpAddr),
    /// A Service, or one endpoint of it.
    Name {
        /// Namespace of the Service.
        namespace: &'a str,
        /// Name of the Service.
        name: &'a str,
        /// Hostname of the endpoint.
        hostname: Option<&'a str>,
    },
}

/// What a stream watches.
#[derive(Debug)]
pub enum Lease {
    /// Endpoints of a Service.
    Endpoints(Seat),
    /// Endpoints of a Service that stands for others.
    Federated(Seat),
    /// A profile.
    Profile(ProfileTarget),
}

impl Index {
    /// Begins to watch endpoints. [`Self::release`] the lease to end it.
    ///
    /// # Errors
    /// When the Service does not exist, or is not one whose endpoints can be watched.
    pub fn watch_endpoints(
        &mut self,
        request: EndpointsRequest<'_>,
    ) -> Result<(watch::Receiver<Arc<Snapshot>>, Lease), EndpointsRefusal> {
        if !*self.synced.borrow() {
            return Err(EndpointsRefusal::NotReady);
        }
        let service = self.cluster.key(request.namespace, request.name);
        let Some(found) = self.cluster.service(&service) else { return Err(EndpointsRefusal::NoService(service)) };
        let discovery = found.discovery.clone();
        match &discovery {
            Discovery::Local if found.is_external_name => return Err(EndpointsRefusal::ExternalName(service)),
            Discovery::Local => {}
            Discovery::Remote { .. } | Discovery::Federated { .. } => self.check_members(&service, &discovery)?,
        }
        let hostname = request.hostname.map(|hostname| self.cluster.text(hostname));
        let (view, node) = (ViewKey { port: request.port, hostname }, self.cluster.text(request.node));
        if discovery != Discovery::Local {
            let (receiver, seat) =
                self.with_federated(|federated, sources| federated.join(sources, (&service, &discovery), &view, &node));
            return Ok((receiver, Lease::Federated(seat)));
        }
        let (receiver, seat) = self.endpoints.join(&self.cluster, &service, &view, &node, Holder::Stream);
        self.tell_federated(&Dirty::default());
        Ok((receiver, Lease::Endpoints(seat)))
    }

    /// Begins to watch a profile. [`Self::release`] the lease to end it.
    ///
    /// # Errors
    /// When the name does not exist, or the address belongs to several objects.
    pub fn watch_profile(
        &mut self,
        request: ProfileRequest<'_>,
    ) -> Result<(watch::Receiver<Arc<ProfileSnapshot>>, Lease), ProfileRefusal> {
        if !*self.synced.borrow() {
            return Err(ProfileRefusal::NotReady);
        }
        let client_namespace = self.cluster.text(request.client_namespace);
        let target = match request.subject {
            ProfileSubject::Ip(ip) => self.cluster.at_address(ip, request.port, client_namespace)?,
            ProfileSubject::Name { namespace, name, hostname } => {
                self.cluster.at_name(namespace, name, hostname, request.port, client_namespace)?
            }
        };
        if let ProfileTarget::Hostname { service, .. } = &target {
            self.endpoints.listen(&self.cluster, service);
        }
        Ok((self.profiles.join(&self.cluster, &target), Lease::Profile(target)))
    }

    /// Ends a watch.
    pub fn release(&mut self, lease: &Lease) {
        match lease {
            Lease::Endpoints(seat) => self.endpoints.leave(&self.cluster, seat),
            Lease::Federated(seat) => self.with_federated(|federated, sources| federated.leave(sources, seat)),
            Lease::Profile(target) => {
                self.profiles.leave(target);
                if let ProfileTarget::Hostname { service, .. } = target {
                    self.endpoints.unlisten(service);
                }
            }
        }
    }
}
