//! The pure folders stay pure: no client, no `async`, no clock, no environment.

use std::{fs, path::Path};

const PURE: [&str; 5] = ["api", "plan", "children", "status", "views"];
const FORBIDDEN: [&str; 11] = [
    "kube::Client",
    "kube::Api",
    "kube_client",
    "kube::runtime",
    "async ",
    ".await",
    "tokio",
    "SystemTime",
    "Instant",
    "Timestamp::now",
    "std::env",
];

#[test]
fn the_pure_folders_name_no_client_no_async_no_clock_and_no_environment() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut read = 0;
    for folder in PURE {
        for file in files(&source.join(folder)) {
            let text = fs::read_to_string(&file).unwrap();
            for word in FORBIDDEN {
                assert!(!text.contains(word), "{} names `{word}`; input, output and time belong to cluster/", file.display());
            }
            read += 1;
        }
    }
    assert!(read > 15, "only {read} files were found under {}", source.display());
    let impure = fs::read_to_string(source.join("cluster/reconcile.rs")).unwrap();
    assert!(FORBIDDEN.iter().any(|word| impure.contains(word)), "the search finds nothing even where there is something");
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
