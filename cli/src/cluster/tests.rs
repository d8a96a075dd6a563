use super::*;
use clap::Parser as _;
use std::io;

const KUBECONFIG: &str = "
apiVersion: v1
kind: Config
clusters: [{name: a, cluster: {server: 'http://127.0.0.1:1'}}]
users: [{name: u, user: {token: t}}]
contexts: [{name: first, context: {cluster: a, user: u, namespace: web}}]
current-context: first
";

async fn configured(kubeconfig: &str, options: &[&str]) -> anyhow::Result<Config> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("config");
    std::fs::write(&file, kubeconfig)?;
    let file = file.display().to_string();
    let words = ["linkerd", "--kubeconfig", &file].into_iter().chain(options.iter().copied());
    let global = crate::arguments::Arguments::parse_from(words).global;
    config(global.cluster()).await?.context("no cluster")
}

// Acceptance case 36 of the command line.
#[tokio::test]
async fn groups_are_acted_as_only_together_with_a_user() {
    let groups_alone = configured(KUBECONFIG, &["--as-group", "g"]).await.unwrap().auth_info;
    assert_eq!((groups_alone.impersonate, groups_alone.impersonate_groups), (None, None));
    let both = ["--as", "u", "--as-group", "g,h", "--as-group", "i"];
    let both = configured(KUBECONFIG, &both).await.unwrap().auth_info;
    assert_eq!(both.impersonate.as_deref(), Some("u"));
    assert_eq!(both.impersonate_groups.unwrap(), ["g,h", "i"]);
}

#[tokio::test]
async fn the_namespace_of_the_context_is_the_default_one() {
    assert_eq!(configured(KUBECONFIG, &[]).await.unwrap().default_namespace, "web");
    let without = KUBECONFIG.replace(", namespace: web", "");
    assert_eq!(configured(&without, &["--context="]).await.unwrap().default_namespace, "default");
}

// Acceptance case 75 of the command line.
#[tokio::test]
async fn what_is_wrong_with_a_kubeconfig_is_told_in_one_line() {
    let error =
        async |kubeconfig: &str, options: &[&str]| format!("{:#}", configured(kubeconfig, options).await.unwrap_err());
    assert_eq!(error(KUBECONFIG, &["--context", "x"]).await, "context \"x\" does not exist");
    let none = error("{}", &[]).await;
    assert_eq!(none, "the kubeconfig has no current context; name one with --context");
    let missing = error(KUBECONFIG, &["--kubeconfig", "no/such/file"]).await;
    assert_eq!(missing, "cannot read no/such/file: No such file or directory (os error 2)");
    let broken = error("a: [", &[]).await;
    assert!(broken.starts_with("cannot use /") && broken.lines().count() == 1, "{broken}");
}

#[test]
fn a_cause_that_its_error_names_already_is_not_told_twice() {
    #[derive(Debug)]
    struct Outer(&'static str, io::Error);
    impl std::fmt::Display for Outer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(self.0)
        }
    }
    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.1)
        }
    }
    let refused = || io::Error::other("refused");
    assert_eq!(told(&Outer("cannot connect: refused", refused())), "cannot connect: refused");
    assert_eq!(told(&Outer("cannot connect", refused())), "cannot connect: refused");
}
