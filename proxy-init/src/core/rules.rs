//! Single firewall rules: how they are written and how iptables prints them back.

use super::config::Subnet;
use std::{collections::BTreeMap, fmt};

/// A chain of the `nat` table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Chain {
    /// The kernel's chain for connections that arrive.
    Prerouting,
    /// The kernel's chain for connections that this pod makes.
    Output,
    /// Ours for connections that arrive.
    Redirect,
    /// Ours for connections that this pod makes.
    RedirectOutput,
}

impl Chain {
    /// Ours, and the kernel's chain from which each is reached.
    pub const OURS: [(Self, Self); 2] = [(Self::Redirect, Self::Prerouting), (Self::RedirectOutput, Self::Output)];

    /// Name as iptables knows it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prerouting => "PREROUTING",
            Self::Output => "OUTPUT",
            Self::Redirect => "PROXY_INIT_REDIRECT",
            Self::RedirectOutput => "PROXY_INIT_OUTPUT",
        }
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A rule of one chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The chain that holds it.
    pub chain: Chain,
    /// What it does.
    pub action: Action,
}

/// What a rule does, to which connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Leaves a group of ports alone.
    IgnorePorts(String),
    /// Leaves connections from a network alone.
    IgnoreSubnet(Subnet),
    /// Leaves connections of a user alone.
    IgnoreUser(u32),
    /// Leaves connections of a group alone.
    IgnoreGroup(u32),
    /// Leaves connections within the pod alone.
    IgnoreLoopback,
    /// Sends connections to one port to the proxy.
    RedirectPort {
        /// The port connected to.
        port: u16,
        /// The proxy's port.
        to: u16,
    },
    /// Sends every connection that arrives to the proxy.
    RedirectIncoming(u16),
    /// Sends every connection that the pod makes to the proxy.
    RedirectOutgoing(u16),
    /// Goes on in a chain of ours.
    Jump(Chain),
}

/// Options of a rule as iptables prints them: `--dport` to `80` and the like.
pub type Printed = BTreeMap<String, String>;

impl Rule {
    /// The rule as iptables arguments, without `-A` or `-D` before it: chain, matches, target, comment.
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = vec![self.chain.to_string()];
        let mut add = |text: &str| arguments.extend(text.split(' ').map(str::to_owned));
        match &self.action {
            Action::IgnorePorts(ports) => add(&format!("-p tcp --match multiport --dports {ports} -j RETURN")),
            Action::IgnoreSubnet(subnet) => add(&format!("-p all -j RETURN -s {subnet}")),
            Action::IgnoreUser(uid) => add(&format!("-m owner --uid-owner {uid} -j RETURN")),
            Action::IgnoreGroup(gid) => add(&format!("-m owner --gid-owner {gid} -j RETURN")),
            Action::IgnoreLoopback => add("-o lo -j RETURN"),
            Action::RedirectPort { port, to } => {
                add(&format!("-p tcp --destination-port {port} -j REDIRECT --to-port {to}"));
            }
            Action::RedirectIncoming(to) | Action::RedirectOutgoing(to) => {
                add(&format!("-p tcp -j REDIRECT --to-port {to}"));
            }
            Action::Jump(chain) => add(&format!("-j {chain}")),
        }
        add("-m comment --comment");
        arguments.push(format!("proxy-init/{}", self.comment()));
        arguments
    }

    fn comment(&self) -> String {
        match &self.action {
            Action::IgnorePorts(ports) => format!("ignore-port-{ports}"),
            Action::IgnoreSubnet(subnet) => format!("ignore-subnet-{subnet}"),
            Action::IgnoreUser(_) => "ignore-proxy-user-id".to_owned(),
            Action::IgnoreGroup(_) => "ignore-proxy-group-id".to_owned(),
            Action::IgnoreLoopback => "ignore-loopback".to_owned(),
            Action::RedirectPort { port, .. } => format!("redirect-port-{port}-to-proxy-port"),
            Action::RedirectIncoming(_) => "redirect-all-incoming-to-proxy-port".to_owned(),
            Action::RedirectOutgoing(_) => "redirect-all-outgoing-to-proxy-port".to_owned(),
            Action::Jump(_) if self.chain == Chain::Prerouting => "install-proxy-init-prerouting".to_owned(),
            Action::Jump(_) => "install-proxy-init-output".to_owned(),
        }
    }

    /// The options that iptables prints for the rule, apart from its comment.
    pub fn printed(&self) -> Printed {
        let options = match &self.action {
            Action::IgnorePorts(ports) => vec![("-p", "tcp".to_owned()), ("--dports", ports.clone())],
            // A network of everything is no condition.
            Action::IgnoreSubnet(subnet) if subnet.net().prefix_len() == 0 => vec![],
            Action::IgnoreSubnet(subnet) => vec![("-s", subnet.net().to_string())],
            Action::IgnoreUser(uid) => vec![("--uid-owner", uid.to_string())],
            Action::IgnoreGroup(gid) => vec![("--gid-owner", gid.to_string())],
            Action::IgnoreLoopback => vec![("-o", "lo".to_owned())],
            Action::RedirectPort { port, to } => {
                vec![("-p", "tcp".to_owned()), ("--dport", port.to_string()), ("--to-ports", to.to_string())]
            }
            Action::RedirectIncoming(to) | Action::RedirectOutgoing(to) => {
                vec![("-p", "tcp".to_owned()), ("--to-ports", to.to_string())]
            }
            Action::Jump(_) => vec![],
        };
        let target = match &self.action {
            Action::RedirectPort { .. } | Action::RedirectIncoming(_) | Action::RedirectOutgoing(_) => "REDIRECT",
            Action::Jump(chain) => chain.name(),
            _ => "RETURN",
        };
        let options = options.into_iter().chain([("-j", target.to_owned())]);
        options.map(|(name, value)| (name.to_owned(), value)).collect()
    }
}
