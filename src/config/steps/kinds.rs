//! The table of the kinds of step. Programs with settings of their own are in `programs`.

use super::kind::{Kind, nothing};
use super::{
    ArchStepConfig, Download, DownloadStepConfig, FileAction, FileStepConfig, GitFlavor,
    GitStepConfig, HttpStepConfig, JsonTemplate, RelatedStepConfig, SetPropertyConfig, StepConfig,
    StepKind, Upload, UploadStepConfig, arch, bk, bzr, cvs, download, files, git, http,
    master_shell, mercurial, monotone, p4, patch, related, repo, set_property, shell, slave_env,
    source, steps_from, svn, trigger, upload,
};
use crate::config::shape::KindShape;
use crate::config::template::Template;

/// The kinds of step, without the programs that have settings of their own.
pub(super) static KINDS: &[Kind] = &[
    Kind {
        shape: KindShape {
            name: "ShellCommand",
            keys: &[shell::COMMAND, shell::KEYS],
        },
        usual: || StepConfig {
            name: "shell".to_owned(),
            ..StepConfig::default()
        },
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "Git",
            keys: &[git::KEYS, git::access::KEYS, source::KEYS],
        },
        usual: || source_step("git", StepKind::Git(Box::default())),
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "MasterShellCommand",
            keys: &[master_shell::KEYS],
        },
        usual: || StepConfig {
            name: "MasterShellCommand".to_owned(),
            halt_on_failure: true,
            description: Some(vec![Template::literal("Running")]),
            description_done: Some(vec![Template::literal("Ran")]),
            kind: StepKind::MasterShell(Box::default()),
            ..StepConfig::default()
        },
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "SetProperty",
            keys: &[set_property::ONE],
        },
        usual: || {
            let kind = StepKind::SetProperty(Box::default());
            master_step("SetProperty", "Setting", "Set", kind)
        },
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "CancelRelatedBuilds",
            keys: &[related::KEYS, related::CANCEL],
        },
        usual: || related_step("CancelRelatedBuilds", RelatedStepConfig::cancel()),
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "StopRelatedBuilds",
            keys: &[related::KEYS],
        },
        usual: || related_step("StopRelatedBuilds", RelatedStepConfig::stop()),
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "StepsFrom",
            keys: &[shell::COMMAND, shell::KEYS, steps_from::KEYS],
        },
        usual: || StepConfig {
            name: "steps".to_owned(),
            halt_on_failure: true,
            kind: StepKind::StepsFrom(Box::default()),
            ..StepConfig::default()
        },
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "Patch",
            keys: &[patch::KEYS],
        },
        usual: || StepConfig {
            name: "patch".to_owned(),
            halt_on_failure: true,
            description: Some(vec![Template::literal("patching")]),
            description_done: Some(vec![Template::literal("patch")]),
            kind: StepKind::Patch(Box::default()),
            ..StepConfig::default()
        },
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "FileUpload",
            keys: &[upload::FILE_KEYS, upload::KEYS],
        },
        usual: || uploading(Upload::File),
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "DirectoryUpload",
            keys: &[upload::DIRECTORY_KEYS, upload::KEYS],
        },
        usual: || uploading(Upload::Directory),
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "MultipleFileUpload",
            keys: &[upload::SEVERAL_KEYS, upload::KEYS],
        },
        usual: || uploading(Upload::Several),
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "FileDownload",
            keys: &[download::FILE_KEYS, download::KEYS],
        },
        usual: || downloading("download", Download::File(Template::literal(""))),
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "StringDownload",
            keys: &[download::TEXT_KEYS, download::KEYS],
        },
        usual: || downloading("string_download", Download::Text(Template::literal(""))),
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "JSONStringDownload",
            keys: &[download::JSON_KEYS, download::KEYS],
        },
        usual: || {
            downloading(
                "json_download",
                Download::Json(JsonTemplate::List(Vec::new())),
            )
        },
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "JSONPropertiesDownload",
            keys: &[download::KEYS],
        },
        usual: || downloading("json_properties_download", Download::Properties),
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "FileExists",
            keys: &[files::FILE_KEYS],
        },
        usual: || on_files("FileExists", FileAction::Exists),
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "CopyDirectory",
            keys: &[files::COPY_KEYS],
        },
        usual: || on_files("CopyDirectory", FileAction::Copy),
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "RemoveDirectory",
            keys: &[files::DIRECTORY_KEYS],
        },
        usual: || on_files("RemoveDirectory", FileAction::RemoveDirectory),
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "MakeDirectory",
            keys: &[files::DIRECTORY_KEYS],
        },
        usual: || on_files("MakeDirectory", FileAction::MakeDirectory),
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "RemoveFile",
            keys: &[files::FILE_KEYS],
        },
        usual: || on_files("RemoveFile", FileAction::RemoveFile),
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "SetProperties",
            keys: &[set_property::SEVERAL],
        },
        usual: || {
            let kind = StepKind::SetProperty(Box::new(SetPropertyConfig {
                is_several: true,
                ..SetPropertyConfig::default()
            }));
            let (doing, done) = ("Setting Properties..", "Properties Set");
            master_step("SetProperties", doing, done, kind)
        },
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "LogRenderable",
            keys: &[set_property::LOG],
        },
        usual: || {
            let kind = StepKind::LogRenderable(Box::default());
            master_step("LogRenderable", "Logging", "Logged", kind)
        },
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "SetPropertiesFromEnv",
            keys: &[slave_env::KEYS],
        },
        usual: || {
            let kind = StepKind::SlaveEnv(Box::default());
            master_step("SetPropertiesFromEnv", "Setting", "Set", kind)
        },
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "Trigger",
            keys: &[trigger::KEYS],
        },
        usual: || StepConfig {
            name: "trigger".to_owned(),
            kind: StepKind::Trigger(Box::default()),
            ..StepConfig::default()
        },
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "Gerrit",
            keys: &[git::KEYS, git::access::KEYS, source::KEYS],
        },
        usual: || source_step("git", git_of(GitFlavor::Gerrit)),
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "GitHub",
            keys: &[git::KEYS, git::access::KEYS, source::KEYS],
        },
        usual: || source_step("git", git_of(GitFlavor::GitHub)),
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "SVN",
            keys: &[svn::KEYS, source::LOCATION_KEYS, source::KEYS],
        },
        usual: || source_step("svn", StepKind::Svn(Box::default())),
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "Mercurial",
            keys: &[mercurial::KEYS, source::LOCATION_KEYS, source::KEYS],
        },
        usual: || source_step("hg", StepKind::Mercurial(Box::default())),
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "Bzr",
            keys: &[bzr::KEYS, source::LOCATION_KEYS, source::KEYS],
        },
        usual: || source_step("bzr", StepKind::Bzr(Box::default())),
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "BK",
            keys: &[bk::KEYS, source::LOCATION_KEYS, source::KEYS],
        },
        usual: || source_step("bk", StepKind::Bk(Box::default())),
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "Darcs",
            keys: &[source::LOCATION_KEYS, source::KEYS],
        },
        usual: || source_step("darcs", StepKind::Darcs(Box::default())),
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "CVS",
            keys: &[cvs::KEYS, source::KEYS],
        },
        usual: || source_step("cvs", StepKind::Cvs(Box::default())),
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "Repo",
            keys: &[repo::KEYS, source::KEYS],
        },
        usual: || source_step("repo", StepKind::Repo(Box::default())),
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "Arch",
            keys: &[arch::KEYS, source::KEYS],
        },
        usual: || source_step("arch", arch_of("tla")),
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "Bazaar",
            keys: &[arch::KEYS, source::KEYS],
        },
        usual: || source_step("bazaar", arch_of("baz")),
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "Monotone",
            keys: &[monotone::KEYS, source::KEYS],
        },
        usual: || source_step("monotone", StepKind::Monotone(Box::default())),
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "P4",
            keys: &[p4::KEYS, source::KEYS],
        },
        usual: || source_step("p4", StepKind::P4(Box::default())),
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "HTTPStep",
            keys: &[http::METHOD, http::KEYS],
        },
        usual: || http_step(""),
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "POST",
            keys: &[http::KEYS],
        },
        usual: || http_step("POST"),
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "GET",
            keys: &[http::KEYS],
        },
        usual: || http_step("GET"),
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "PUT",
            keys: &[http::KEYS],
        },
        usual: || http_step("PUT"),
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "DELETE",
            keys: &[http::KEYS],
        },
        usual: || http_step("DELETE"),
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "HEAD",
            keys: &[http::KEYS],
        },
        usual: || http_step("HEAD"),
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "OPTIONS",
            keys: &[http::KEYS],
        },
        usual: || http_step("OPTIONS"),
        own: nothing,
    },
];

/// A step that asks a web server this; an empty method has to be given.
fn http_step(method: &'static str) -> StepConfig {
    let kind = StepKind::Http(Box::new(HttpStepConfig::of(method)));
    StepConfig {
        flunk_on_failure: true,
        ..master_step("HTTPStep", "Requesting", "Requested", kind)
    }
}

/// A step that ends other builds.
fn related_step(name: &str, settings: RelatedStepConfig) -> StepConfig {
    StepConfig {
        name: name.to_owned(),
        description: Some(vec![Template::literal("Checking")]),
        description_done: Some(vec![Template::literal("Checked")]),
        kind: StepKind::Related(Box::new(settings)),
        ..StepConfig::default()
    }
}

fn arch_of(program: &'static str) -> StepKind {
    StepKind::Arch(Box::new(ArchStepConfig::of(program)))
}

fn git_of(flavor: GitFlavor) -> StepKind {
    StepKind::Git(Box::new(GitStepConfig {
        flavor,
        ..GitStepConfig::default()
    }))
}

/// A step that obtains the source.
fn source_step(name: &str, kind: StepKind) -> StepConfig {
    StepConfig {
        name: name.to_owned(),
        halt_on_failure: true,
        description: Some(vec![Template::literal("updating")]),
        description_done: Some(vec![Template::literal("update")]),
        kind,
        ..StepConfig::default()
    }
}

/// A step that uploads.
fn uploading(what: Upload) -> StepConfig {
    StepConfig {
        name: "upload".to_owned(),
        halt_on_failure: true,
        kind: StepKind::Upload(Box::new(UploadStepConfig::usual(what))),
        ..StepConfig::default()
    }
}

/// A step that downloads.
fn downloading(name: &str, content: Download) -> StepConfig {
    StepConfig {
        name: name.to_owned(),
        halt_on_failure: true,
        kind: StepKind::Download(Box::new(DownloadStepConfig::usual(content))),
        ..StepConfig::default()
    }
}

/// A step on files of the slave.
fn on_files(name: &str, action: FileAction) -> StepConfig {
    StepConfig {
        name: name.to_owned(),
        halt_on_failure: true,
        kind: StepKind::Files(Box::new(FileStepConfig::usual(action))),
        ..StepConfig::default()
    }
}

/// A step that needs no slave. Its failure means nothing.
fn master_step(name: &str, doing: &str, done: &str, kind: StepKind) -> StepConfig {
    StepConfig {
        name: name.to_owned(),
        flunk_on_failure: false,
        description: Some(vec![Template::literal(doing)]),
        description_done: Some(vec![Template::literal(done)]),
        kind,
        ..StepConfig::default()
    }
}
