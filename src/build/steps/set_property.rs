//! Steps of the master alone: `SetProperty`, `SetProperties`, `LogRenderable`.

use serde_json::Value;

use super::shell::{Unrenderable, describe, put_in, raised};
use crate::build::step::{Performed, StepRun};
use crate::config::{LogTextConfig, PropertyValue, SetPropertyConfig};
use crate::model::Results;
use crate::protocol::ShellCommand;

/// Sets the properties.
pub(in crate::build) async fn perform(
    step: &mut StepRun<'_>,
    config: &SetPropertyConfig,
) -> Performed {
    if let Err(problem) = begin(step).await {
        return raised(step, &problem);
    }
    for (name, value) in &config.properties {
        match rendered(step, name, value) {
            Ok(value) => step.set_property(name, value),
            Err(problem) => return raised(step, &problem),
        }
    }
    SUCCESS
}

/// Writes the log.
pub(in crate::build) async fn log(step: &mut StepRun<'_>, config: &LogTextConfig) -> Performed {
    if let Err(problem) = begin(step).await {
        return raised(step, &problem);
    }
    let text = match rendered(step, "content", &config.content) {
        Ok(Value::String(text)) => text,
        Ok(value) => format!("{value:#}"),
        Err(problem) => return raised(step, &problem),
    };
    step.logs.add("Output", (text + "\n").into()).await;
    SUCCESS
}

const SUCCESS: Performed = Performed::Ended {
    result: Results::Success,
    detail: Vec::new(),
};

async fn begin(step: &mut StepRun<'_>) -> Result<(), Unrenderable> {
    let nothing = ShellCommand::Words(Vec::new());
    let doing = describe(step.config, &nothing, false, step.values())?;
    let done = describe(step.config, &nothing, true, step.values())?;
    step.begin(doing, done, &[]).await;
    Ok(())
}

fn rendered(step: &StepRun<'_>, name: &str, value: &PropertyValue) -> Result<Value, Unrenderable> {
    Ok(match value {
        PropertyValue::Text(text) => put_in(text, step.values(), name)?.into(),
        PropertyValue::Json(value) => value.clone(),
    })
}
