//! OCI archives: a tar with an image layout of one layer (OCI image specification 1.0, image layout and config).

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::elf;
use super::tar::{LONGEST_PATH, Tar};
use crate::Failure;

const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

/// One image, from nothing.
pub struct Image<'a> {
    /// Full names that the image gets when it is loaded, registry included.
    pub names: Vec<String>,
    /// `UID:GID`.
    pub user: &'a str,
    /// What is started, and its first arguments.
    pub entrypoint: &'a [&'a str],
    /// Labels by name, in order.
    pub labels: &'a [(&'a str, &'a str)],
    /// All that lies in it; folders above come by themselves.
    pub files: Vec<File<'a>>,
}

/// One file of an image.
pub struct File<'a> {
    /// From the image's root, without a slash before it.
    pub path: &'a str,
    /// Permissions.
    pub mode: u32,
    /// Where its bytes come from.
    pub content: Content,
}

/// The bytes of a file.
pub enum Content {
    /// A program of this machine, that has to be static.
    Program(PathBuf),
    /// A file of this machine.
    Copy(PathBuf),
}

impl Image<'_> {
    /// Writes the archive; the same image gives the same bytes.
    ///
    /// # Errors
    /// A file cannot be read or written, its path is longer than tar knows, or a program needs an interpreter.
    pub fn write(&self, archive: &Path) -> Result<(), Failure> {
        let layer = self.layer()?;
        let layer_digest = sha256(&layer)?;
        let config = self.config(&layer_digest);
        let config_digest = sha256(config.as_bytes())?;
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"{MANIFEST_TYPE}","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:{config_digest}","size":{}}},"layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"sha256:{layer_digest}","size":{}}}]}}"#,
            config.len(),
            layer.len()
        );
        let manifest_digest = sha256(manifest.as_bytes())?;
        let index = self.index(&manifest_digest, manifest.len());
        let mut tar = Tar::default();
        tar.file("oci-layout", 0o644, br#"{"imageLayoutVersion":"1.0.0"}"#);
        tar.file("index.json", 0o644, index.as_bytes());
        for (digest, blob) in
            [(&manifest_digest, manifest.as_bytes()), (&config_digest, config.as_bytes()), (&layer_digest, &layer[..])]
        {
            tar.file(&format!("blobs/sha256/{digest}"), 0o644, blob);
        }
        // Renamed into place, so that a reader never sees half of it.
        let unfinished = archive.with_extension("tar.unfinished");
        fs::write(&unfinished, tar.finish())
            .and_then(|()| fs::rename(&unfinished, archive))
            .map_err(|error| Failure::new(format!("{} cannot be written: {error}", archive.display())))
    }

    fn layer(&self) -> Result<Vec<u8>, Failure> {
        let mut tar = Tar::default();
        let mut folders = BTreeSet::new();
        for file in &self.files {
            folders.extend(file.path.match_indices('/').map(|(at, _)| &file.path[..at]));
        }
        for folder in folders {
            tar.folder(folder);
        }
        for file in &self.files {
            if file.path.len() > LONGEST_PATH {
                return Err(Failure::new(format!("{} is longer than {LONGEST_PATH} bytes", file.path)));
            }
            tar.file(file.path, file.mode, &file.content.read()?);
        }
        Ok(tar.finish())
    }

    fn config(&self, layer_digest: &str) -> String {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        let entrypoint = self.entrypoint.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(",");
        let labels = self.labels.iter().map(|(name, value)| format!("\"{name}\":\"{value}\"")).collect::<Vec<_>>().join(",");
        format!(
            r#"{{"architecture":"{architecture}","os":"linux","config":{{"User":"{}","Entrypoint":[{entrypoint}],"Env":["PATH=/"],"WorkingDir":"/","Labels":{{{labels}}}}},"rootfs":{{"type":"layers","diff_ids":["sha256:{layer_digest}"]}}}}"#,
            self.user
        )
    }

    /// One entry per name: containerd reads the first annotation, podman and skopeo the second.
    fn index(&self, manifest_digest: &str, size: usize) -> String {
        let entry = |name: &String| {
            let short = name.strip_prefix("docker.io/library/").unwrap_or(name);
            format!(
                r#"{{"mediaType":"{MANIFEST_TYPE}","digest":"sha256:{manifest_digest}","size":{size},"annotations":{{"io.containerd.image.name":"{name}","org.opencontainers.image.ref.name":"{short}"}}}}"#
            )
        };
        let entries = self.names.iter().map(entry).collect::<Vec<_>>().join(",");
        format!(r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{entries}]}}"#)
    }
}

impl Content {
    fn read(&self) -> Result<Vec<u8>, Failure> {
        let (Self::Program(path) | Self::Copy(path)) = self;
        let bytes = fs::read(path).map_err(|error| Failure::new(format!("{} cannot be read: {error}", path.display())))?;
        match (self, elf::interpreter(&bytes)) {
            (Self::Copy(_), _) | (Self::Program(_), Some(false)) => Ok(bytes),
            (Self::Program(_), Some(true)) => Err(Failure::new(format!(
                "{} needs a dynamic linker, which an image from nothing does not have: link it statically",
                path.display()
            ))),
            (Self::Program(_), None) => Err(Failure::new(format!("{} is no 64-bit ELF program", path.display()))),
        }
    }
}

/// In hexadecimal, by coreutils: the menu has no dependencies.
fn sha256(bytes: &[u8]) -> Result<String, Failure> {
    let lost = |error: std::io::Error| Failure::new(format!("sha256sum cannot be used: {error}"));
    let mut child = Command::new("sha256sum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(lost)?;
    // It prints nothing before its input has ended, so writing all at once cannot block it.
    if let Some(mut input) = child.stdin.take() {
        input.write_all(bytes).map_err(lost)?;
    }
    let output = child.wait_with_output().map_err(lost)?;
    let digest = String::from_utf8_lossy(&output.stdout).split_whitespace().next().unwrap_or_default().to_owned();
    if digest.len() == 64 { Ok(digest) } else { Err(Failure::new("sha256sum printed no digest")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(names: &[&str], content: Content) -> Result<Vec<u8>, Failure> {
        let folder = std::env::temp_dir().join(format!("doorward-image-{}-{}", std::process::id(), names.len()));
        fs::create_dir_all(&folder).unwrap();
        let archive = folder.join("x.tar");
        let image = Image {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            user: "7:8",
            entrypoint: &["/bin/x"],
            labels: &[("a", "b")],
            files: vec![File { path: "bin/x", mode: 0o755, content }],
        };
        let result = image.write(&archive).map(|()| fs::read(&archive).unwrap());
        fs::remove_dir_all(&folder).unwrap();
        result
    }

    #[test]
    fn an_image_has_all_its_names_and_always_the_same_bytes() {
        let one = || written(&["docker.io/library/x:1", "example.com/x:2"], Content::Copy("/etc/hostname".into())).unwrap();
        let bytes = one();
        assert_eq!(bytes, one());
        let text = String::from_utf8_lossy(&bytes);
        for expected in [
            r#""io.containerd.image.name":"docker.io/library/x:1","org.opencontainers.image.ref.name":"x:1""#,
            r#""io.containerd.image.name":"example.com/x:2""#,
            r#""User":"7:8","Entrypoint":["/bin/x"]"#,
        ] {
            assert!(text.contains(expected), "{expected}");
        }
    }

    #[test]
    fn a_dynamic_program_and_what_is_no_program_are_refused() {
        let check = |path: &str, expected: &str| {
            let failure = written(&["docker.io/library/y:1", "a", "b"], Content::Program(path.into())).unwrap_err();
            assert!(failure.to_string().contains(expected), "{failure}");
        };
        check("/bin/sh", "link it statically");
        check("/etc/hostname", "is no 64-bit ELF program");
        check("/nowhere", "cannot be read");
    }
}
