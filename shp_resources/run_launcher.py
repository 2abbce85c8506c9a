"""The run launcher named in `dagster.yaml`: runs start in a forked worker where a fork server listens.

Without one it is Dagster's default launcher, so `dagster dev` and a plain deployment work with the same file.
"""

from __future__ import annotations

from dagster._core.launcher.base import CheckRunHealthResult, LaunchRunContext
from dagster._core.launcher.default_run_launcher import DefaultRunLauncher
from dagster._core.storage.dagster_run import DagsterRun, DagsterRunStatus
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import serialize_value
from dagster._serdes.config_class import ConfigurableClassData

from shp_resources.fork_client import ForkClient, ForkServerAway, place_of
from shp_resources.run_health import health
from shp_resources.settings import Settings
from shp_resources.workers import Workers

_MOMENT_SECONDS = 10.0  # a worker that heeds needs one; on a machine that has too much to do, ten
_NOT_BEGUN = (DagsterRunStatus.NOT_STARTED, DagsterRunStatus.STARTING)


class ShpRunLauncher(DefaultRunLauncher):
    """Launches runs through the fork server of the installation, else as Dagster does."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(inst_data)
        self._settings = Settings.load()
        self._forks, self._workers = ForkClient(self._settings.home), Workers(self._settings.home)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Start a run."""
        run = context.dagster_run
        try:
            place = place_of(self._settings)
            self._forks.launch(run.run_id, self._arguments(run), place, wanted=lambda: self._has_not_begun(run.run_id))
        except ForkServerAway as away:
            if self._has_not_begun(run.run_id):
                self._instance.report_engine_event(f"Launched through the code server, which is slower: {away}.", run, cls=self.__class__)
                super().launch_run(context)

    def terminate(self, run_id: str) -> bool:
        """Interrupt a run, and give its worker a moment to write down that it was canceled.

        Who ends a run at its time limit calls it failed as soon as this returns; that must be the last word.
        """
        run, worker = self._instance.get_run_by_id(run_id), self._workers.of(run_id)
        if run is None or run.is_finished or worker is None:
            return bool(super().terminate(run_id))  # type: ignore[no-untyped-call]
        if run.status is not DagsterRunStatus.CANCELING:
            self._instance.report_run_canceling(run)
        interrupted = self._workers.interrupt(run_id)
        worker.process.gone_within(_MOMENT_SECONDS)
        return interrupted

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Whether run monitoring may ask for a worker's health."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Whether the process that works for a run is there."""
        return health(run, self._workers.of(run.run_id), self._instance)

    def _has_not_begun(self, run_id: str) -> bool:
        """Whether nobody works, or worked, for a run that was to be launched."""
        run = self._instance.get_run_by_id(run_id)
        return run is not None and run.status in _NOT_BEGUN and self._workers.of(run_id) is None

    def _arguments(self, run: DagsterRun) -> str:
        origin = run.job_code_origin
        assert origin is not None, "a launched run has the origin of its code"
        args = ExecuteRunArgs(
            job_origin=origin,
            run_id=run.run_id,
            instance_ref=self._instance.get_ref(),
            set_exit_code_on_failure=True,  # a worker that ends with 0 has seen its run to its end
        )
        return serialize_value(args)
