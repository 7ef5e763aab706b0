//! Who may link whom: blindness and sans-IO are properties of the build.

use std::{collections::BTreeSet, path::Path, process::Command, sync::LazyLock};

use cargo_metadata::{Metadata, MetadataCommand};

/// Every package that some build of the workspace may need, on any system. Cargo fetches those that
/// this system's build did not need, such as Windows' bindings.
pub(crate) static METADATA: LazyLock<Metadata> = LazyLock::new(|| {
    MetadataCommand::new()
        .manifest_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml"))
        .other_options(["--locked".to_owned()])
        .exec()
        .unwrap()
});

/// Everything that is linked into a package or used to build it, on any system, by name. What only
/// its tests use is left out. `cargo metadata` names members but says too much here: it counts
/// optional dependencies that a weak feature mentions; `cargo tree` resolves as a build does.
fn linked(package: &str) -> BTreeSet<String> {
    let members = METADATA.workspace_packages();
    assert!(members.iter().any(|member| member.name.as_str() == package), "{package} is no member");
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--edges", "normal,build", "--target", "all"])
        .args(["--prefix", "none", "--format", "{p}", "--package", package])
        .current_dir(&METADATA.workspace_root)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let names = text.lines().filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != package).map(str::to_owned).collect()
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
fn the_second_implementation_of_mls_is_for_tests_only() {
    let forbidden = ["mls-rs", "mls-rs-core", "mls-rs-crypto-rustcrypto"];
    for member in METADATA.workspace_packages() {
        assert_unlinked(&[member.name.as_str()], &forbidden);
    }
}

#[test]
fn tasks_build_without_libclang_or_openssl() {
    let forbidden = ["rocksdb", "librocksdb-sys", "clang-sys", "libsqlite3-sys", "openssl-sys"];
    assert_unlinked(&["xtask"], &forbidden);
    // The check itself sees what is there.
    assert!(linked("hushwire-relay").contains("librocksdb-sys"));
    assert!(linked("hushwire-protocol").contains("openmls"));
}
