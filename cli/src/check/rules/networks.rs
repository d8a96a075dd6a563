//! Whether the configured networks hold every address of the cluster: proxies look up no other.

use super::pods::{address, id, is_gone, name};
use crate::check::{
    context::Context,
    verdict::{Finding, Verdict, only_if},
};
use ipnet::IpNet;
use k8s_openapi::api::core::v1::{Node, Pod, Service};
use std::net::IpAddr;

/// The networks of nodes' pods.
pub async fn nodes(context: &Context) -> Verdict {
    let networks = Networks::of(context).await?;
    hold_nodes(&networks, &context.reads()?.all("").await?)
}

/// The addresses of pods.
pub async fn pods(context: &Context) -> Verdict {
    let networks = Networks::of(context).await?;
    hold_pods(&networks, &context.reads()?.all("").await?)
}

/// The addresses of Services.
pub async fn services(context: &Context) -> Verdict {
    let networks = Networks::of(context).await?;
    hold_services(&networks, &context.reads()?.all("").await?)
}

/// Networks, and how they were written.
struct Networks {
    text: String,
    networks: Vec<IpNet>,
}

impl Networks {
    async fn of(context: &Context) -> Result<Self, Finding> {
        Self::parse(context.config().await?.text("/clusterNetworks"))
    }

    fn parse(text: &str) -> Result<Self, Finding> {
        let networks = text.split(',').map(str::trim).map(|item| {
            item.parse()
                .map_err(|_| Finding::Error(format!("clusterNetworks: {item:?} is not a network such as 10.0.0.0/8")))
        });
        Ok(Self { text: text.to_owned(), networks: networks.collect::<Result<_, _>>()? })
    }

    fn holds(&self, network: &IpNet) -> bool {
        self.networks.iter().any(|known| known.contains(network))
    }

    fn holds_address(&self, address: &str) -> bool {
        address.parse::<IpAddr>().is_ok_and(|address| self.holds(&address.into()))
    }

    /// Passes when nothing is outside; else lists it, and says how to add the networks that hold it.
    fn verdict(&self, what: &str, mut outside: Vec<(String, String)>) -> Verdict {
        if outside.is_empty() {
            return Ok(());
        }
        outside.sort();
        outside.dedup();
        let lines: String = outside.iter().map(|(network, owner)| format!("\n\t* {network} ({owner})")).collect();
        let networks = self.text.replace(',', "\\,");
        Err(Finding::Error(format!(
            "{what} not contained in the Linkerd clusterNetworks, so that proxies treat them as outside of the \
             cluster:{lines}\nInstall with all networks of the cluster, such as --set \
             'clusterNetworks={networks}\\,<NETWORK>'"
        )))
    }
}

fn hold_nodes(networks: &Networks, nodes: &[Node]) -> Verdict {
    let cidrs = |node: &Node| {
        let spec = node.spec.clone().unwrap_or_default();
        spec.pod_cidrs.filter(|cidrs| !cidrs.is_empty()).unwrap_or_else(|| spec.pod_cidr.into_iter().collect())
    };
    let owned = nodes
        .iter()
        .flat_map(|node| cidrs(node).into_iter().map(|cidr| (cidr, format!("node {}", name(&node.metadata)))));
    let owned: Vec<(String, String)> = owned.collect();
    only_if(!owned.is_empty())?;
    let is_outside = |(cidr, _): &(String, String)| !cidr.parse().is_ok_and(|cidr| networks.holds(&cidr));
    networks.verdict("these podCIDRs of nodes are", owned.into_iter().filter(is_outside).collect())
}

fn hold_pods(networks: &Networks, pods: &[Pod]) -> Verdict {
    let outside = pods.iter().filter(|pod| !is_gone(pod)).filter_map(|pod| {
        let address = address(pod).filter(|address| !address.is_empty() && !networks.holds_address(address))?;
        Some((address.to_owned(), format!("pod {}", id(&pod.metadata))))
    });
    networks.verdict("these addresses of pods are", outside.collect())
}

fn hold_services(networks: &Networks, services: &[Service]) -> Verdict {
    let outside = services.iter().filter_map(|service| {
        let address = service.spec.as_ref()?.cluster_ip.as_deref()?;
        let is_outside = !["", "None"].contains(&address) && !networks.holds_address(address);
        is_outside.then(|| (address.to_owned(), format!("service {}", id(&service.metadata))))
    });
    networks.verdict("these addresses of Services are", outside.collect())
}

#[cfg(test)]
mod tests;
