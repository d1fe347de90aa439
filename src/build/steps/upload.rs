//! `FileUpload`, `DirectoryUpload`, `MultipleFileUpload`: from the slave to the master. The texts
//! are those of Buildbot 0.8.14.

use super::files::{S_IFDIR, kind_of};
use super::master_path::{base_name, ended, master_path, open, say};
use super::matching::matching;
use super::shell::{Unrenderable, described, put_in};
use crate::build::step::{Performed, StepRun};
use crate::build::steplogs::STDIO;
use crate::config::{Upload, UploadStepConfig};
use crate::model::Results;
use crate::protocol::CommandArgs;
use crate::protocol::files::StatArgs;
use crate::protocol::transfer::{TransferArgs, UploadArgs, UploadDirectoryArgs};
use crate::transfer::{FileSink, MasterPath, Problem, TreeSink};

/// Runs the step.
pub(in crate::build) async fn perform(
    step: &mut StepRun<'_>,
    config: &UploadStepConfig,
) -> Performed {
    let job = match prepare(step, config) {
        Ok(job) => job,
        Err(problem) => return Performed::Raised(format!("step '{}': {problem}\n", step.name)),
    };
    // A log only where there is something to say.
    step.logs.lazy = vec![STDIO.to_owned()];
    step.begin(job.doing.clone(), job.done.clone(), &[]).await;
    step.text = Some(job.said.clone());
    let mut work = Work { step, config, job };
    match work.run().await {
        Ok(is_good) => ended(is_good),
        Err(performed) => performed,
    }
}

/// A step with its properties put in.
struct Job {
    sources: Vec<String>,
    dest: MasterPath,
    workdir: String,
    /// Name and address of a link.
    link: Option<(String, String)>,
    doing: Vec<String>,
    /// What it did, if it is interrupted.
    done: Vec<String>,
    /// What it did, if it ends by itself.
    said: Vec<String>,
}

fn prepare(step: &StepRun<'_>, config: &UploadStepConfig) -> Result<Job, Unrenderable> {
    let values = step.values();
    let (one, key) = match config.what {
        Upload::File | Upload::Directory => (true, "slavesrc"),
        Upload::Several => (false, "slavesrcs"),
    };
    let sources = config.sources.iter().map(|text| put_in(text, values, key));
    let sources = sources.collect::<Result<Vec<_>, _>>()?;
    let dest = put_in(&config.masterdest, values, "masterdest")?;
    let dest = master_path(&config.masterdest, &dest);
    let link = match &config.url {
        None => None,
        Some(url) => {
            let name = match &config.url_text {
                Some(text) => put_in(text, values, "url_text")?,
                None => dest.file_name().to_owned(),
            };
            Some((name, put_in(url, values, "url")?))
        }
    };
    let what = match sources.as_slice() {
        [source] if one => base_name(source).to_owned(),
        [_] => "1 file".to_owned(),
        sources => format!("{} files", sources.len()),
    };
    let own = vec!["uploading".to_owned(), what];
    Ok(Job {
        workdir: put_in(&config.workdir, values, "workdir")?,
        sources,
        dest,
        link,
        doing: described(step.config, own.clone(), false, values)?,
        done: described(step.config, vec![step.name.to_owned()], true, values)?,
        said: described(step.config, own, true, values)?,
    })
}

/// A step that runs. Its functions answer whether all is well, or how the step has ended.
struct Work<'s, 'a> {
    step: &'s mut StepRun<'a>,
    config: &'s UploadStepConfig,
    job: Job,
}

impl Work<'_, '_> {
    async fn run(&mut self) -> Result<bool, Performed> {
        if self.config.what == Upload::Several {
            let is_good = self.several().await?;
            self.link().await;
            return Ok(is_good);
        }
        self.link().await;
        let source = self.job.sources.first().cloned().unwrap_or_default();
        let dest = self.job.dest.clone();
        match self.config.what {
            Upload::Directory => self.directory(source, dest).await,
            Upload::File | Upload::Several => self.file(source, dest).await,
        }
    }

    async fn link(&mut self) {
        if let Some((name, url)) = self.job.link.take() {
            self.step.link(name, url).await;
        }
    }

    async fn several(&mut self) -> Result<bool, Performed> {
        let mut sources = std::mem::take(&mut self.job.sources);
        if self.config.glob {
            let matching = matching(self.step, &self.job.workdir, sources, MAX_FILES);
            sources = match matching.await? {
                Ok(sources) => sources,
                Err(problem) => {
                    if let Some(problem) = problem {
                        say(self.step, &problem).await;
                    }
                    return Ok(false);
                }
            };
        }
        if sources.is_empty() {
            self.step.text = Some(vec![self.step.name.to_owned()]);
            return Err(Performed::Ended {
                result: Results::Skipped,
                detail: Vec::new(),
            });
        }
        for source in sources {
            if !self.one(source).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Uploads one of several files and directories.
    async fn one(&mut self, source: String) -> Result<bool, Performed> {
        let source = source.trim_end_matches('/').to_owned();
        let args = CommandArgs::Stat(StatArgs {
            file: source.clone(),
            workdir: self.job.workdir.clone(),
        });
        let report = self.step.complete(&args).await?;
        if self.step.interrupted.is_some() {
            return Ok(false);
        }
        if report.rc != Some(0) {
            let path = format!("{}/{source}", self.job.workdir);
            let text = format!("File {path} not available at slave\n");
            self.step.logs.add("stderr", text.into()).await;
            return Ok(false);
        }
        let dest = self.job.dest.join(base_name(&source));
        match kind_of(&report) {
            Some(S_IFDIR) => self.directory(source, dest).await,
            None | Some(S_IFREG) => self.file(source, dest).await,
            Some(_) => {
                let text = format!("{source} is neither a regular file, nor a directory\n");
                self.step.logs.add("stderr", text.into()).await;
                Ok(false)
            }
        }
    }

    async fn file(&mut self, source: String, dest: MasterPath) -> Result<bool, Performed> {
        let (max, mode) = (self.config.maxsize, self.config.mode);
        let begin = move |files: &_| FileSink::begin(files, &dest, max, mode);
        let sink = match open(self.step, begin).await? {
            Ok(sink) => sink,
            Err(problem) => return self.refuse(&problem).await,
        };
        let args = CommandArgs::UploadFile(UploadArgs {
            transfer: self.transfer(source),
            keep_stamp: self.config.keepstamp,
        });
        let (report, problem) = self.step.transfer(&args, sink).await?;
        self.judge(report.rc, problem).await
    }

    async fn directory(&mut self, source: String, dest: MasterPath) -> Result<bool, Performed> {
        let (max, compress) = (self.config.maxsize, self.config.compress);
        let begin = move |files: &_| TreeSink::begin(files, &dest, max, compress);
        let sink = match open(self.step, begin).await? {
            Ok(sink) => sink,
            Err(problem) => return self.refuse(&problem).await,
        };
        let args = CommandArgs::UploadDirectory(UploadDirectoryArgs {
            transfer: self.transfer(source),
            compress,
        });
        let (report, problem) = self.step.transfer(&args, sink).await?;
        self.judge(report.rc, problem).await
    }

    fn transfer(&self, path: String) -> TransferArgs {
        TransferArgs {
            path,
            workdir: self.job.workdir.clone(),
            block_bytes: self.config.blocksize,
            max_bytes: self.config.maxsize,
        }
    }

    async fn judge(
        &mut self,
        rc: Option<i64>,
        problem: Option<Problem>,
    ) -> Result<bool, Performed> {
        if let Some(problem) = problem {
            return self.refuse(&problem).await;
        }
        Ok(rc == Some(0))
    }

    async fn refuse(&mut self, problem: &Problem) -> Result<bool, Performed> {
        say(self.step, problem).await;
        Ok(false)
    }
}

const S_IFREG: i64 = 0o100_000;
/// Most files of a step.
const MAX_FILES: usize = 10_000;
