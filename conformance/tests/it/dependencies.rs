//! Who may link whom: blindness and sans-IO are properties of the build.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::LazyLock,
};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};

/// The resolved graph, with every feature of every package.
pub(crate) static METADATA: LazyLock<Metadata> = LazyLock::new(|| {
    MetadataCommand::new()
        .manifest_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml"))
        .other_options(["--locked".to_owned(), "--offline".to_owned()])
        .exec()
        .unwrap()
});

/// Everything that is linked into a package, or used to build it, by name. What only its tests use
/// is left out.
fn linked(package: &str) -> BTreeSet<String> {
    let names: BTreeMap<&PackageId, &str> =
        METADATA.packages.iter().map(|package| (&package.id, package.name.as_str())).collect();
    let resolve = METADATA.resolve.as_ref().unwrap();
    let nodes: BTreeMap<_, _> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let start = METADATA
        .workspace_packages()
        .into_iter()
        .find(|member| member.name.as_str() == package)
        .unwrap_or_else(|| panic!("{package} is no member of the workspace"));

    let mut seen = BTreeSet::new();
    let mut open = vec![&start.id];
    while let Some(id) = open.pop() {
        for dependency in &nodes[id].deps {
            let used =
                dependency.dep_kinds.iter().any(|kind| kind.kind != DependencyKind::Development);
            if used && seen.insert(&dependency.pkg) {
                open.push(&dependency.pkg);
            }
        }
    }
    seen.into_iter().map(|id| names[id].to_owned()).collect()
}

fn assert_unlinked(packages: &[&str], forbidden: &[&str]) {
    for package in packages {
        let linked = linked(package);
        for name in forbidden {
            let found = linked.iter().find(|dependency| dependency.as_str() == *name);
            assert_eq!(found, None, "{package} links {name}");
        }
    }
}

#[test]
fn the_relay_links_nothing_that_knows_a_group() {
    let forbidden = [
        "hushwire-protocol",
        "hushwire-engine",
        "hushwire",
        "hushwire-cli",
        "openmls",
        "openmls_traits",
        "openmls_rust_crypto",
        "hpke-rs",
    ];
    assert_unlinked(&["hushwire-wire", "hushwire-relay-rules", "hushwire-relay"], &forbidden);
}

#[test]
fn cores_link_no_io() {
    let forbidden = [
        "librocksdb-sys",
        "rocksdb",
        "libsqlite3-sys",
        "rusqlite",
        "tokio",
        "quinn",
        "quinn-proto",
        "rustls",
        "hushwire-relay",
        "hushwire",
    ];
    let cores = ["hushwire-wire", "hushwire-protocol", "hushwire-relay-rules", "hushwire-engine"];
    assert_unlinked(&cores, &forbidden);
}

#[test]
fn the_client_links_no_relay() {
    let forbidden = ["hushwire-relay", "hushwire-relay-rules", "rocksdb", "librocksdb-sys"];
    assert_unlinked(
        &["hushwire", "hushwire-engine", "hushwire-protocol", "hushwire-cli"],
        &forbidden,
    );
}

#[test]
fn tasks_build_without_libclang_or_openssl() {
    let forbidden = ["rocksdb", "librocksdb-sys", "clang-sys", "libsqlite3-sys", "openssl-sys"];
    assert_unlinked(&["xtask"], &forbidden);
    // The check itself sees what is there.
    assert!(linked("hushwire-relay").contains("librocksdb-sys"));
    assert!(linked("hushwire-protocol").contains("openmls"));
}
