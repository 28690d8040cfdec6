// The list of planted faults, each with the adapter that it is planted into and the verdict that the judge must give.
import type { AdapterName } from '../adapters.ts';
import type { FaultKind } from '../judge/verdict.ts';
import type { Plant } from '../plant.ts';
import * as claims from './claim-faults.ts';
import * as history from './history-faults.ts';
import * as observation from './observation-faults.ts';
import * as wire from './wire-faults.ts';

export interface PlantedFault {
  readonly name: string;
  readonly adapter: AdapterName;
  readonly plant: Plant;
  readonly foundAs: FaultKind;
  /** Episodes to look at first, for a fault that few of them show. */
  readonly seeds?: readonly number[];
}

export const plantedFaults: readonly PlantedFault[] = [
  {
    name: 'polls that failed are not told, and windows touch over them',
    adapter: 'modbus-tcp',
    plant: { sink: observation.touchingResume },
    foundAs: 'missedBreaks',
  },
  {
    name: 'messages that are missing are not told, and windows touch over them',
    adapter: 'module-input',
    plant: { sink: observation.touchingResume },
    foundAs: 'missedBreaks',
  },
  {
    name: 'a damaged line is not told, and windows touch over it',
    adapter: 'serial',
    plant: { sink: observation.touchingResume },
    foundAs: 'missedBreaks',
  },
  {
    name: 'after an outage observation begins at the old frontier',
    adapter: 'opcua',
    plant: { sink: observation.oldFrontier },
    foundAs: 'falseCoverage',
  },
  {
    name: 'what a server lost before observation began is forgotten',
    adapter: 'opcua',
    plant: { session: wire.noOverflow },
    foundAs: 'falseCoverage',
  },
  {
    name: 'late readings become a window that claims what lies between them',
    adapter: 'module-input',
    plant: { disk: claims.lateHull },
    foundAs: 'falseCoverage',
  },
  {
    name: 'a window claims time that has not passed',
    adapter: 'module-input',
    plant: { disk: claims.aheadOfTime },
    foundAs: 'falseCoverage',
  },
  {
    name: 'a stream goes on over a disk that was put back',
    adapter: 'module-input',
    plant: { disk: claims.continuesAcrossRollback },
    foundAs: 'falseCoverage',
    seeds: [1_000_011, 1_000_026],
  },
  {
    name: 'a late answer passes for that to the next request',
    adapter: 'modbus-tcp',
    plant: { stream: wire.anyTransaction },
    foundAs: 'wrongValues',
  },
  {
    name: 'of a line only the first frame that fits is heard, whoever it is for',
    adapter: 'modbus-rtu',
    plant: { stream: wire.firstThatFits },
    foundAs: 'wrongValues',
  },
  {
    name: 'answers of two records are one sample',
    adapter: 'serial',
    plant: { stream: wire.joinedAnswers },
    foundAs: 'wrongValues',
  },
  {
    name: 'values of the poll before are told as those of this one',
    adapter: 'modbus-rtu',
    plant: { sink: observation.staleValues },
    foundAs: 'wrongValues',
  },
  {
    name: 'positions begin again when the counter does',
    adapter: 'serial',
    plant: { sink: observation.onePositionTwice(10_000) },
    foundAs: 'wrongValues',
  },
  {
    name: 'a value that the server calls bad is called good',
    adapter: 'opcua',
    plant: { sink: observation.badCalledGood },
    foundAs: 'wrongValues',
  },
  {
    name: 'what stands for no value is called good',
    adapter: 'modbus-tcp',
    plant: { sink: observation.sentinelCalledGood(0xffff) },
    foundAs: 'wrongValues',
  },
  {
    name: 'a refusal that passes is believed for twelve polls',
    adapter: 'modbus-tcp',
    plant: { sink: observation.learnedRefusal },
    foundAs: 'falseCoverage',
  },
  {
    name: 'a change that had no room is taken for told',
    adapter: 'modbus-rtu-tcp',
    plant: { sink: observation.swallowedChange },
    foundAs: 'falseCoverage',
  },
  {
    name: 'of two records with one time the second is left out',
    adapter: 'serial',
    plant: { sink: observation.secondOfOneTime },
    foundAs: 'falseCoverage',
  },
  {
    name: 'a page of history without one of its records is called complete',
    adapter: 'serial',
    plant: { source: history.leavesOneOut },
    foundAs: 'falseCoverage',
  },
  {
    name: 'an answer of history that was cut short is called complete',
    adapter: 'modbus-tcp',
    plant: { source: history.shortIsComplete },
    foundAs: 'falseCoverage',
  },
  {
    name: 'values of a history that was not read to its end are called complete',
    adapter: 'opcua',
    plant: { source: history.leavesOneOut },
    foundAs: 'falseCoverage',
  },
  {
    name: 'a page with a damaged record is declared lost',
    adapter: 'modbus-rtu',
    plant: { source: history.voidsThePage },
    foundAs: 'falseVoids',
  },
  {
    name: 'what is not recorded yet is declared lost',
    adapter: 'modbus-tcp',
    plant: { source: history.voidsTheFuture },
    foundAs: 'falseVoids',
  },
  {
    name: 'equipment that is away has no history',
    adapter: 'serial',
    plant: { source: history.noHistoryWhenAway },
    foundAs: 'falseVoids',
  },
  {
    name: 'a source never resumes',
    adapter: 'modbus-rtu',
    plant: { sink: observation.neverResumes },
    foundAs: 'stuck',
  },
];
