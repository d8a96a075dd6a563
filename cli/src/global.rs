//! Options of every command.

use anyhow::bail;
use clap::{ArgAction, Args};
use linkerd_controller::args::go_bool;

/// Namespace of the control plane, unless told otherwise.
const DEFAULT_NAMESPACE: &str = "linkerd";

/// Options of every command; they stand before or after its name.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Namespace of the control plane [default: $LINKERD_NAMESPACE, else linkerd]
    #[arg(long, short = 'L', global = true, value_name = "NAMESPACE")]
    linkerd_namespace: Option<String>,
    /// Address of the gRPC API that diagnostics ask [default: the cluster that options name, else a running
    /// sandbox, else the cluster of the kubeconfig]
    #[arg(long, global = true, value_name = "HOST:PORT")]
    pub api_addr: Option<String>,
    /// Log what is done, on standard error
    #[arg(long, global = true, value_name = "BOOL", value_parser = go_bool, num_args = 0..=1,
          default_missing_value = "true", require_equals = true, default_value = "false", hide_default_value = true)]
    pub verbose: bool,
    #[command(flatten)]
    cluster: Cluster,
}

/// Options that tell which cluster to use.
#[derive(Clone, Debug, Default, Args)]
pub struct Cluster {
    /// Namespace of the CNI plug-in, for `linkerd check`
    #[arg(long, global = true, value_name = "NAMESPACE", default_value = "linkerd-cni")]
    pub cni_namespace: String,
    /// File that tells how to reach the cluster [default: $KUBECONFIG, else ~/.kube/config]
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<String>,
    /// Context of that file [default: its current one]
    #[arg(long, global = true, value_name = "CONTEXT")]
    pub context: Option<String>,
    /// User to act as
    #[arg(long = "as", global = true, value_name = "USER")]
    pub impersonate: Option<String>,
    /// Group to act as, with --as; may be given several times
    #[arg(long = "as-group", global = true, value_name = "GROUP", action = ArgAction::Append)]
    pub impersonate_groups: Vec<String>,
}

impl Global {
    /// Fills in the namespace, and checks it.
    ///
    /// `environment` is the value of `LINKERD_NAMESPACE`, which a given flag wins over.
    ///
    /// # Errors
    /// When the namespace is no name of a namespace.
    pub fn resolve(mut self, environment: Option<String>) -> anyhow::Result<Self> {
        let environment = environment.filter(|namespace| !namespace.is_empty());
        let namespace = self.linkerd_namespace.take().or(environment).unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned());
        if namespace.is_empty() || !namespace.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            bail!("{namespace} is not a valid namespace");
        }
        self.linkerd_namespace = Some(namespace);
        Ok(self)
    }

    /// Namespace of the control plane.
    pub fn namespace(&self) -> &str {
        self.linkerd_namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE)
    }

    /// Options that tell which cluster to use.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }
}

impl Cluster {
    /// Whether the user named a cluster, or somebody to be there, instead of leaving it to the defaults.
    pub fn is_named(&self) -> bool {
        let Self { cni_namespace: _, kubeconfig, context, impersonate, impersonate_groups: _ } = self;
        [kubeconfig, context, impersonate].into_iter().any(|option| given(option).is_some())
    }
}

/// The value of an option; an empty one counts as none.
pub fn given(option: &Option<String>) -> Option<&str> {
    option.as_deref().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn namespace(flag: Option<&str>, environment: Option<&str>) -> anyhow::Result<String> {
        let global = Global { linkerd_namespace: flag.map(str::to_owned), ..Global::default() };
        Ok(global.resolve(environment.map(str::to_owned))?.namespace().to_owned())
    }

    #[test]
    fn a_given_namespace_wins_over_the_environment_even_when_it_is_the_default() {
        assert_eq!(namespace(None, None).unwrap(), "linkerd");
        assert_eq!(namespace(None, Some("")).unwrap(), "linkerd");
        assert_eq!(namespace(None, Some("l5d")).unwrap(), "l5d");
        assert_eq!(namespace(Some("linkerd"), Some("l5d")).unwrap(), "linkerd");
    }

    #[test]
    fn a_namespace_holds_letters_digits_and_dashes() {
        let refused = namespace(Some("bad ns"), None).unwrap_err();
        assert_eq!(refused.to_string(), "bad ns is not a valid namespace");
        assert!(namespace(Some(""), None).is_err());
        assert!(namespace(None, Some("a.b")).is_err());
    }

    #[test]
    fn an_option_without_value_names_no_cluster() {
        let cluster = |line: &str| {
            let words = ["linkerd"].into_iter().chain(line.split_whitespace());
            <crate::arguments::Arguments as clap::Parser>::parse_from(words).global.cluster
        };
        for line in ["", "--kubeconfig= --context= --as=", "--as-group g"] {
            assert!(!cluster(line).is_named(), "{line}");
        }
        for line in ["--kubeconfig f", "--context c", "--as u"] {
            assert!(cluster(line).is_named(), "{line}");
        }
    }
}
