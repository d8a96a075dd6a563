//! The names under which commands take Kubernetes resources.

use anyhow::{Context as _, anyhow, bail};

/// A kind of resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    All,
    AuthorizationPolicy,
    CronJob,
    DaemonSet,
    Deployment,
    HttpRoute,
    Job,
    Link,
    MeshTlsAuthentication,
    Namespace,
    NetworkAuthentication,
    Pod,
    ReplicaSet,
    ReplicationController,
    Server,
    ServerAuthorization,
    Service,
    ServiceProfile,
    StatefulSet,
}

/// Each kind with its singular, its plural, and its short names.
const NAMES: [(Kind, &[&str]); 19] = [
    (Kind::All, &["all"]),
    (Kind::AuthorizationPolicy, &["authorizationpolicy", "authorizationpolicies", "ap", "authzpolicy"]),
    (Kind::CronJob, &["cronjob", "cronjobs", "cj"]),
    (Kind::DaemonSet, &["daemonset", "daemonsets", "ds"]),
    (Kind::Deployment, &["deployment", "deployments", "deploy"]),
    (Kind::HttpRoute, &["httproute", "httproutes"]),
    (Kind::Job, &["job", "jobs"]),
    (Kind::Link, &["link", "links", "ln"]),
    (Kind::MeshTlsAuthentication, &["meshtlsauthentication", "meshtlsauthentications", "meshtlsauthn"]),
    (Kind::Namespace, &["namespace", "namespaces", "ns"]),
    (Kind::NetworkAuthentication, &["networkauthentication", "networkauthentications", "netauthn", "networkauthn"]),
    (Kind::Pod, &["pod", "pods", "po"]),
    (Kind::ReplicaSet, &["replicaset", "replicasets", "rs"]),
    (Kind::ReplicationController, &["replicationcontroller", "replicationcontrollers", "rc"]),
    (Kind::Server, &["server", "servers", "srv"]),
    (Kind::ServerAuthorization, &["serverauthorization", "serverauthorizations", "saz", "serverauthz", "srvauthz"]),
    (Kind::Service, &["service", "services", "svc"]),
    (Kind::ServiceProfile, &["serviceprofile", "serviceprofiles", "sp"]),
    (Kind::StatefulSet, &["statefulset", "statefulsets", "sts"]),
];

impl Kind {
    /// The kind that a word names, in whatever case.
    pub fn parse(word: &str) -> Option<Self> {
        let word = word.to_ascii_lowercase();
        NAMES.into_iter().find(|(_, names)| names.contains(&word.as_str())).map(|(kind, _)| kind)
    }

    /// Its singular, in lower case.
    pub fn name(self) -> &'static str {
        NAMES.into_iter().find(|(kind, _)| *kind == self).map_or("", |(_, names)| names[0])
    }
}

/// The kind and name in `TYPE/NAME`.
///
/// # Errors
/// When the text has another form, or there is no such type.
pub fn parse(text: &str) -> anyhow::Result<(Kind, String)> {
    let (kind, name) = match text.split('/').collect::<Vec<_>>()[..] {
        [_] | [_, ""] => bail!("no resource name provided; use TYPE/NAME"),
        [kind, name] => (kind, name),
        _ => bail!("invalid resource string: {text}; use TYPE/NAME"),
    };
    let kind = Kind::parse(kind)
        .with_context(|| format!("cannot find Kubernetes canonical name from friendly name [{kind}]"))
        .map_err(|error| anyhow!("{error}; use a type such as deploy, sts or po"))?;
    Ok((kind, name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_singulars_and_plurals_name_the_same_kind() {
        for names in
            ["ds daemonset daemonsets", "ap authzpolicy authorizationpolicies", "srvauthz saz serverauthz", "ns"]
        {
            let kinds: Vec<_> = names.split(' ').map(|name| Kind::parse(name).unwrap()).collect();
            assert!(kinds.windows(2).all(|pair| pair[0] == pair[1]), "{names}");
        }
        assert_eq!(Kind::parse("Deploy"), Some(Kind::Deployment));
        assert_eq!(Kind::parse("pod2"), None);
    }

    #[test]
    fn no_name_stands_for_two_kinds() {
        let all: Vec<_> = NAMES.iter().flat_map(|(_, names)| names.iter()).collect();
        let different: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(all.len(), different.len());
    }

    // Acceptance case 51 of the command line.
    #[test]
    fn a_resource_is_a_type_and_a_name() {
        assert_eq!(parse("deploy/web").unwrap(), (Kind::Deployment, "web".to_owned()));
        let error = |text| parse(text).unwrap_err().to_string();
        assert!(error("deploy").starts_with("no resource name provided"));
        assert!(error("deploy/").starts_with("no resource name provided"));
        assert!(error("a/b/c").starts_with("invalid resource string: a/b/c"));
        assert!(error("x/web").starts_with("cannot find Kubernetes canonical name from friendly name [x]"));
    }
}
