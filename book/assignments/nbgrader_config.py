"""What nbgrader needs to know of the assignments; `make grade` and a JupyterHub's formgrader both read it."""

# No import: traitlets hands this file a get_config of its own, and what another one returns is read by nobody.
c = get_config()  # type: ignore[name-defined]  # noqa: F821
c.CourseDirectory.course_id = "hnetlib"
c.ClearSolutions.code_stub = {"python": '# YOUR CODE HERE\nraise NotImplementedError("No answer here yet.")'}
c.ClearSolutions.text_stub = "YOUR ANSWER HERE"
c.Execute.timeout = 60  # seconds for one cell
c.Execute.startup_timeout = 300
c.Execute.iopub_timeout = 60  # how long outputs may take to arrive; with nbgrader's 4 a busy machine costs all points
c.IgnorePattern.enabled = True  # to nbgrader a word on stderr is an error, and so would be a warning or a progress bar
c.IgnorePattern.pattern = "(?s)."
c.Execute.skip_cells_with_tag = ""  # nobody skips a test by giving it a tag
c.OverwriteCells.add_missing_cells = True
