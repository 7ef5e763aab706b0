//! Where the checkout is, and the files in it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// A text file of the checkout, by its path below the root, with `/` between the parts.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// The root of the checkout that this program was built from.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// Every file below `folder` whose name ends with `.` and one of `extensions`, in the order of
/// their paths. Hidden folders and `target` are left out.
pub(crate) fn sources(folder: &Path, extensions: &[&str]) -> io::Result<Vec<Source>> {
    let mut sources = Vec::new();
    collect(folder, "", extensions, &mut sources)?;
    sources.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(sources)
}

fn collect(
    folder: &Path,
    below: &str,
    extensions: &[&str],
    sources: &mut Vec<Source>,
) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
        let kind = entry.file_type()?;
        if kind.is_dir() {
            if !name.starts_with('.') && name != "target" {
                collect(&entry.path(), &path, extensions, sources)?;
            }
        } else if kind.is_file()
            && let Some((_, extension)) = name.rsplit_once('.')
            && extensions.contains(&extension)
        {
            sources.push(Source { path, text: fs::read_to_string(entry.path())? });
        }
    }
    Ok(())
}
