//! The objects of one namespace, and what they make of a port.

use super::{
    authentication::Authentications,
    authorization::{PolicyRecord, PolicyTarget, ServerAuthorizationRecord},
    server::ServerRecord,
    watches::{PortKey, Watches},
    workload::Workload,
};
use crate::{
    config::Config,
    core::{
        authorization::{Authorization, AuthorizationSource, of_access_policy},
        inbound::{InboundServer, Probes, ServerSource, default_server, protocol_without_routes},
        workload::WorkloadKey,
    },
};
use linkerd_k8s::policy::ServerSelection;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

/// What is known of a namespace.
#[derive(Debug, Default)]
pub(super) struct Namespace {
    pub(super) workloads: HashMap<WorkloadKey, Arc<Workload>>,
    pub(super) servers: BTreeMap<String, ServerRecord>,
    pub(super) server_authorizations: BTreeMap<String, ServerAuthorizationRecord>,
    pub(super) policies: BTreeMap<String, PolicyRecord>,
    pub(super) watches: Watches,
}

/// What every namespace shares.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) config: &'a Config,
    pub(super) authentications: &'a Authentications,
}

/// Authorizations of Servers, computed once for all ports that an event touches.
pub(super) type Memo<'a> = BTreeMap<&'a str, Vec<Authorization>>;

impl Namespace {
    pub(super) fn is_empty(&self) -> bool {
        self.workloads.is_empty()
            && self.servers.is_empty()
            && self.server_authorizations.is_empty()
            && self.policies.is_empty()
            && self.watches.is_empty()
    }

    /// The policy of a port and the name of the Server that it is by; nothing for an unknown workload.
    pub(super) fn policy<'a>(
        &'a self,
        context: Context<'_>,
        (workload, port): &PortKey,
        memo: &mut Memo<'a>,
    ) -> Option<(Option<&'a str>, InboundServer)> {
        let workload = self.workloads.get(workload)?;
        let probes = Probes { paths: workload.probes(*port), networks: &context.config.probe_networks };
        let Some((name, server)) = self.server_of(workload, *port) else {
            let policy = workload.default_policy(*port, context.config.default_policy);
            let networks = &context.config.cluster_networks;
            return Some((None, default_server(policy, workload.is_opaque(*port), networks, probes)));
        };
        let authorizations = memo.entry(name).or_insert_with(|| self.authorizations(context, name, server));
        let policy = InboundServer {
            source: ServerSource::Server(name.to_owned()),
            protocol: protocol_without_routes(server.protocol, probes),
            authorizations: authorizations.clone(),
        };
        Some((Some(name), policy))
    }

    /// The Server of a port: of those that select it the oldest, and of equally old ones the first by
    /// name.
    fn server_of(&self, workload: &Workload, port: u16) -> Option<(&str, &ServerRecord)> {
        let servers = self.servers.iter().filter(|(_, server)| server.is_of(workload, port));
        servers.min_by_key(|(name, server)| (server.age, name.as_str())).map(|(name, server)| (name.as_str(), server))
    }

    /// Who may connect to the ports of a Server, in the order in which proxies try them.
    fn authorizations(&self, context: Context<'_>, name: &str, server: &ServerRecord) -> Vec<Authorization> {
        let policies = self.policies.iter().filter(|(_, policy)| policy.target.is_server(name));
        let policies = policies.filter_map(|(name, policy)| {
            let (networks, authentication) = policy.clients(context.authentications)?;
            let source = AuthorizationSource::AuthorizationPolicy(name.clone());
            Some(Authorization { source, networks, authentication })
        });
        let legacy = self.server_authorizations.iter().filter(|(_, record)| is_selected(&record.servers, name, server));
        let legacy = legacy.map(|(name, record)| Authorization {
            source: AuthorizationSource::ServerAuthorization(name.clone()),
            networks: record.networks.clone(),
            authentication: record.authentication.clone(),
        });
        let default = of_access_policy(server.access_policy, &context.config.cluster_networks);
        policies.chain(legacy).chain(default).collect()
    }

    /// Watched ports that a Server of this name has, or that a Server like this would select.
    pub(super) fn ports_of_server(&self, name: &str, server: Option<&ServerRecord>) -> BTreeSet<PortKey> {
        let mut ports: BTreeSet<PortKey> = self.watches.of_server(name).cloned().collect();
        let Some(server) = server else { return ports };
        for key in self.watches.workloads() {
            let Some(workload) = self.workloads.get(key).filter(|workload| server.selects(workload)) else { continue };
            let watched = self.watches.of_workload(key);
            ports.extend(watched.into_iter().filter(|(_, port)| workload.is_port(*port, &server.port)));
        }
        ports
    }

    /// Watched ports of the Servers that a ServerAuthorization is for.
    pub(super) fn ports_of_selection(&self, selection: &ServerSelection) -> BTreeSet<PortKey> {
        let servers = self.servers.iter().filter(|(name, server)| is_selected(selection, name, server));
        servers.flat_map(|(name, _)| self.watches.of_server(name)).cloned().collect()
    }

    /// Watched ports of the Servers that an AuthorizationPolicy is for.
    pub(super) fn ports_of_target(&self, target: &PolicyTarget) -> BTreeSet<PortKey> {
        match target {
            PolicyTarget::Server(name) => self.watches.of_server(name).cloned().collect(),
            PolicyTarget::Namespace => self.watches.of_servers().cloned().collect(),
        }
    }
}

fn is_selected(selection: &ServerSelection, name: &str, server: &ServerRecord) -> bool {
    match selection {
        ServerSelection::Name(selected) => selected == name,
        ServerSelection::Selector(selector) => selector.matches(&server.labels),
    }
}
