//! Which endpoints of a Service a client is told of.

use super::{
    endpoint::{Endpoint, Locality},
    service::SetLabels,
};
use std::{collections::HashSet, net::SocketAddr, sync::Arc};

/// An endpoint that a client may be told of.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Address.
    pub address: SocketAddr,
    /// What a proxy is told of it.
    pub endpoint: Arc<Endpoint>,
    /// Pod behind it: namespace, name and node.
    pub pod: Option<PodPlace>,
    /// Zone that it is in, empty when unknown.
    pub zone: Arc<str>,
    /// Which clients should use it.
    pub hints: Option<Arc<Hints>>,
    /// Which of two candidates with one address counts: the higher.
    pub rank: Rank,
}

/// A pod and its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodPlace {
    /// Namespace.
    pub namespace: Arc<str>,
    /// Name.
    pub name: Arc<str>,
    /// Node that it runs on.
    pub node: Arc<str>,
}

/// Which clients should use an endpoint, as Kubernetes decided.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Hints {
    /// Zones of the clients.
    pub zones: Box<[Arc<str>]>,
    /// Nodes of the clients.
    pub nodes: Box<[Arc<str>]>,
}

/// How much is to be said for the object behind an address being the one that has it now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// A pod that has ended.
    Ended,
    /// No object.
    Bare,
    /// A pod or external workload.
    Live,
}

/// A client, as far as it matters which endpoints it is told of. Clients that are equal share an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Client {
    /// Its zone, empty when unknown.
    pub zone: Arc<str>,
    /// Its node; absent where no endpoint depends on it.
    pub node: Option<Arc<str>>,
}

/// What the Service and the configuration say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// `internalTrafficPolicy: Local`.
    pub same_node_only: bool,
    /// Whether hints count: not for clients in another cluster, whose zones they do not know.
    pub hints: bool,
    /// Whether IPv6 addresses of pods are used.
    pub ipv6: bool,
}

/// An endpoint that a client is told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Address.
    pub address: SocketAddr,
    /// Where it is, seen from the client.
    pub locality: Locality,
    /// What the proxy is told of it.
    pub endpoint: Arc<Endpoint>,
    /// Labels of the set that it comes from, where they are not those of the set that it is in.
    pub labels: Option<Arc<SetLabels>>,
}

/// Whether endpoints depend on the client's node, and not on its zone alone.
pub fn depends_on_node<'a>(candidates: impl IntoIterator<Item = &'a Candidate>, rules: Rules) -> bool {
    let mut candidates = candidates.into_iter();
    let has_hint = |candidate| !hinted(candidate, |hints| &hints.nodes).is_empty();
    rules.same_node_only || rules.hints && candidates.any(has_hint)
}

/// The endpoints for a client, in the order of addresses, each address once.
pub fn select<'a>(candidates: impl IntoIterator<Item = &'a Candidate>, rules: Rules, client: &Client) -> Vec<Entry> {
    let mut chosen: Vec<&Candidate> = candidates.into_iter().collect();
    if rules.same_node_only {
        let node = client.node.as_deref().unwrap_or_default();
        chosen.retain(|candidate| candidate.pod.as_ref().is_some_and(|pod| *pod.node == *node));
    } else if rules.hints && !keep_hinted(&mut chosen, client.node.as_deref(), |hints| &hints.nodes) {
        keep_hinted(&mut chosen, Some(&*client.zone), |hints| &hints.zones);
    }
    keep_one_family(&mut chosen, rules.ipv6);
    // The sort is stable, so that of equals the one that comes first in its slices counts.
    chosen.sort_by(|one, other| (one.address, other.rank).cmp(&(other.address, one.rank)));
    chosen.dedup_by(|later, earlier| later.address == earlier.address);
    let entry = |candidate: &Candidate| Entry {
        address: candidate.address,
        locality: Locality::between(&client.zone, &candidate.zone),
        endpoint: candidate.endpoint.clone(),
        labels: None,
    };
    chosen.into_iter().map(entry).collect()
}

fn hinted(candidate: &Candidate, of: impl Fn(&Hints) -> &[Arc<str>]) -> &[Arc<str>] {
    candidate.hints.as_deref().map(of).unwrap_or_default()
}

/// Keeps the candidates hinted for a place, if all have hints and some are for the place.
fn keep_hinted(chosen: &mut Vec<&Candidate>, place: Option<&str>, of: impl Fn(&Hints) -> &[Arc<str>] + Copy) -> bool {
    let Some(place) = place else { return false };
    let is_for = |candidate: &Candidate| hinted(candidate, of).iter().any(|hint| **hint == *place);
    let all_have_hints = chosen.iter().all(|candidate| !hinted(candidate, of).is_empty());
    let applies = all_have_hints && chosen.iter().any(|candidate| is_for(candidate));
    if applies {
        chosen.retain(|candidate| is_for(candidate));
    }
    applies
}

/// Of a pod with addresses of both families one is kept. Endpoints that are no pods keep all.
fn keep_one_family(chosen: &mut Vec<&Candidate>, ipv6: bool) {
    let is_v6 = |candidate: &Candidate| candidate.address.is_ipv6();
    if !chosen.iter().any(|candidate| is_v6(candidate)) {
        return;
    }
    if !ipv6 {
        return chosen.retain(|candidate| !is_v6(candidate) || candidate.pod.is_none());
    }
    let pods = |candidate: &&'_ Candidate| candidate.pod.as_ref().map(|pod| (pod.namespace.clone(), pod.name.clone()));
    let dual: HashSet<_> = chosen.iter().filter(|candidate| is_v6(candidate)).filter_map(pods).collect();
    chosen.retain(|candidate| is_v6(candidate) || pods(candidate).is_none_or(|pod| !dual.contains(&pod)));
}

#[cfg(test)]
mod tests;
