use super::*;
use std::os::unix::fs::PermissionsExt;

const FOO: &str = "foo.ns1.serviceaccount.identity.linkerd.cluster.local";

// Case 40.
#[test]
fn names_need_two_labels() {
    for bad in ["", "foo", ".foo", "foo.", "a b.c"] {
        assert!(matches!(KeyAndCsr::generate(bad), Err(KeyAndCsrError::Name(_))), "{bad}");
    }
}

// Case 40.
#[test]
fn files_are_for_their_owner_only_even_over_existing_ones() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key.p8"), "old").unwrap();
    let made = KeyAndCsr::generate(FOO).unwrap();
    made.write(folder.path()).unwrap();
    for (name, content) in [("key.p8", &made.key), ("csr.der", &made.csr)] {
        let path = folder.path().join(name);
        assert_eq!(&std::fs::read(&path).unwrap(), content);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert!(made.write(&folder.path().join("missing")).is_err());
}
