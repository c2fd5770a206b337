-- The file that a task type or definition is stored from, and the hash of its text: a command may have changed the document
-- since. file_hash null: nobody's file, or its file is gone.
ALTER TABLE qflow.task_definition ADD COLUMN file {text}
;
ALTER TABLE qflow.task_definition ADD COLUMN file_hash {word}
;
-- The task type or definition that a faulty file describes, if it is one of those.
ALTER TABLE qflow.workflow_fault ADD COLUMN definition {key}
;
