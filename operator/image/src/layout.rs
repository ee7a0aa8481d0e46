//! An image as an OCI image layout: a folder of blobs that `skopeo` and `crane` copy to a registry. What is written depends on its input
//! alone, so the same programs give the same digest.

use std::{
    collections::HashMap,
    fs,
    io::Write,
    path::{Path, PathBuf},
    str::FromStr,
};

use anyhow::{Context, Result};
use flate2::{Compression, GzBuilder};
use oci_spec::image::{
    ANNOTATION_REF_NAME, Arch, ConfigBuilder, Descriptor, DescriptorBuilder, HistoryBuilder, ImageConfigurationBuilder, ImageIndexBuilder,
    ImageManifestBuilder, MediaType, OciLayoutBuilder, Os, PlatformBuilder, RootFsBuilder, SCHEMA_VERSION, Sha256Digest,
};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// User and group of the process, as `distroless` images number the one without rights.
const USER: &str = "65532:65532";

/// An image with one program in it and nothing else.
pub struct Image<'a> {
    /// Name of the program's file.
    pub program: &'a str,
    /// What it is run with where a pod says nothing else.
    pub arguments: &'a [&'a str],
    /// Tag of the image.
    pub tag: &'a str,
    /// Labels of the image, which are its annotations too.
    pub labels: HashMap<String, String>,
    /// When it was made, as RFC 3339 has it.
    pub created: &'a str,
}

/// The program for one platform.
pub struct Program {
    /// Architecture of its processors.
    pub architecture: Arch,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Image<'_> {
    /// Writes the image of these programs, one for each platform, anew into a folder. Returns the digest of its index.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, folder: &Path, programs: &[Program]) -> Result<String> {
        if folder.exists() {
            fs::remove_dir_all(folder).with_context(|| format!("removing {}", folder.display()))?;
        }
        let blobs = Blobs(folder.join("blobs/sha256"));
        fs::create_dir_all(&blobs.0).with_context(|| format!("creating {}", blobs.0.display()))?;
        let manifests = programs.iter().map(|program| self.manifest(&blobs, program)).collect::<Result<Vec<_>>>()?;
        let index = ImageIndexBuilder::default()
            .schema_version(SCHEMA_VERSION)
            .media_type(MediaType::ImageIndex)
            .manifests(manifests)
            .annotations(self.labels.clone())
            .build()?;
        let mut index = blobs.json(MediaType::ImageIndex, &index)?;
        let digest = index.digest().to_string();
        index.set_annotations(Some(HashMap::from([(ANNOTATION_REF_NAME.to_owned(), self.tag.to_owned())])));
        let entry = ImageIndexBuilder::default().schema_version(SCHEMA_VERSION).manifests([index]).build()?;
        fs::write(folder.join("index.json"), sorted(&entry)?).context("writing index.json")?;
        let layout = OciLayoutBuilder::default().image_layout_version("1.0.0").build()?;
        fs::write(folder.join("oci-layout"), sorted(&layout)?).context("writing oci-layout")?;
        Ok(digest)
    }

    fn manifest(&self, blobs: &Blobs, program: &Program) -> Result<Descriptor> {
        let archive = self.archive(&program.bytes)?;
        let difference = format!("sha256:{}", hash(&archive));
        let mut zip = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
        zip.write_all(&archive)?;
        let layer = blobs.put(MediaType::ImageLayerGzip, &zip.finish()?)?;
        let process = ConfigBuilder::default()
            .user(USER)
            .entrypoint(vec![format!("/{}", self.program)])
            .cmd(self.arguments.iter().map(ToString::to_string).collect::<Vec<_>>())
            .working_dir("/")
            .labels(self.labels.clone())
            .build()?;
        let step = HistoryBuilder::default().created(self.created).created_by(format!("COPY {0} /{0}", self.program)).build()?;
        let configuration = ImageConfigurationBuilder::default()
            .created(self.created)
            .architecture(program.architecture.clone())
            .os(Os::Linux)
            .config(process)
            .rootfs(RootFsBuilder::default().typ("layers").diff_ids(vec![difference]).build()?)
            .history(vec![step])
            .build()?;
        let configuration = blobs.json(MediaType::ImageConfig, &configuration)?;
        let manifest = ImageManifestBuilder::default()
            .schema_version(SCHEMA_VERSION)
            .media_type(MediaType::ImageManifest)
            .config(configuration)
            .layers([layer])
            .annotations(self.labels.clone())
            .build()?;
        let mut manifest = blobs.json(MediaType::ImageManifest, &manifest)?;
        manifest.set_platform(Some(PlatformBuilder::default().architecture(program.architecture.clone()).os(Os::Linux).build()?));
        Ok(manifest)
    }

    /// The file system of the image: the program alone, which root owns and everybody may run.
    fn archive(&self, program: &[u8]) -> Result<Vec<u8>> {
        let mut header = tar::Header::new_ustar();
        header.set_path(self.program)?;
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mode(0o555);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(program.len().try_into()?);
        header.set_cksum();
        let mut archive = tar::Builder::new(Vec::new());
        archive.append(&header, program)?;
        Ok(archive.into_inner()?)
    }
}

/// The folder of the blobs, each named by its digest.
struct Blobs(PathBuf);

impl Blobs {
    fn put(&self, kind: MediaType, bytes: &[u8]) -> Result<Descriptor> {
        let digest = hash(bytes);
        fs::write(self.0.join(&digest), bytes).with_context(|| format!("writing blob {digest}"))?;
        let size: u64 = bytes.len().try_into()?;
        Ok(DescriptorBuilder::default().media_type(kind).digest(Sha256Digest::from_str(&digest)?).size(size).build()?)
    }

    fn json(&self, kind: MediaType, content: &impl Serialize) -> Result<Descriptor> {
        self.put(kind, &sorted(content)?)
    }
}

/// JSON with sorted keys: labels and annotations have no order of their own.
fn sorted(content: &impl Serialize) -> Result<Vec<u8>> {
    Ok(serde_json::to_vec(&serde_json::to_value(content)?)?)
}

pub(crate) fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;
    use serde_json::Value;

    use super::*;

    const PROGRAM: &str = "govcloud";

    fn written(folder: &Path) -> String {
        let labels = (0..20).map(|number| (format!("label-{number}"), number.to_string())).collect();
        let programs =
            [Arch::Amd64, Arch::ARM64].map(|architecture| Program { bytes: architecture.to_string().into_bytes(), architecture });
        let image = Image { program: PROGRAM, arguments: &["run"], tag: "1.0.0", labels, created: "2026-01-01T00:00:00Z" };
        image.write(folder, &programs).unwrap()
    }

    fn read(folder: &Path, digest: &Value) -> Vec<u8> {
        let hash = digest.as_str().unwrap().strip_prefix("sha256:").unwrap();
        let bytes = fs::read(folder.join("blobs/sha256").join(hash)).unwrap();
        assert_eq!(super::hash(&bytes), hash);
        bytes
    }

    fn json(folder: &Path, digest: &Value) -> Value {
        serde_json::from_slice(&read(folder, digest)).unwrap()
    }

    #[test]
    fn the_same_programs_give_the_same_image() {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let [one, other] = folders.each_ref().map(|folder| written(folder.path()));
        assert_eq!(one, other);
        assert_eq!(written(folders[0].path()), one); // over what was there
    }

    #[test]
    fn each_platform_has_its_program_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let digest = written(folder);
        let entry: Value = serde_json::from_slice(&fs::read(folder.join("index.json")).unwrap()).unwrap();
        assert_eq!(entry["manifests"][0]["digest"], digest);
        assert_eq!(entry["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"], "1.0.0");
        let index = json(folder, &entry["manifests"][0]["digest"]);
        for (place, architecture) in ["amd64", "arm64"].iter().enumerate() {
            let descriptor = &index["manifests"][place];
            assert_eq!(descriptor["platform"]["architecture"], *architecture);
            let manifest = json(folder, &descriptor["digest"]);
            let configuration = json(folder, &manifest["config"]["digest"]);
            assert_eq!((&configuration["architecture"], &configuration["config"]["User"]), (&Value::from(*architecture), &USER.into()));
            assert_eq!(configuration["config"]["Entrypoint"], serde_json::json!(["/govcloud"]));

            let mut layer = Vec::new();
            GzDecoder::new(&*read(folder, &manifest["layers"][0]["digest"])).read_to_end(&mut layer).unwrap();
            assert_eq!(configuration["rootfs"]["diff_ids"], serde_json::json!([format!("sha256:{}", hash(&layer))]));
            let mut archive = tar::Archive::new(&*layer);
            let mut files = Vec::new();
            for file in archive.entries().unwrap() {
                let mut file = file.unwrap();
                let mut program = String::new();
                file.read_to_string(&mut program).unwrap();
                let header = file.header();
                let rights = (header.mode().unwrap(), header.uid().unwrap(), header.mtime().unwrap());
                files.push((file.path().unwrap().display().to_string(), rights, program));
            }
            assert_eq!(files, [(PROGRAM.to_owned(), (0o555, 0, 0), (*architecture).to_owned())]);
        }
    }
}
